"""Ten real questions: the passage that answers each must come first, among the answers to all the others."""

import json

import pytest

from program import run

QUESTIONS = {
    "How long does it take to boil an egg?": "For a soft yolk, leave the egg in boiling water for six minutes; for a hard one, ten to twelve.",
    "What is the capital of Australia?": "Canberra, founded in 1913 as a compromise between Sydney and Melbourne, is Australia's seat of government.",
    "Why is the sky blue?": "Air molecules scatter short wavelengths of sunlight more strongly than long ones, so blue reaches us from all directions.",
    "How do I undo the last git commit?": "Run `git reset --soft HEAD~1` to take back your most recent commit and keep its changes staged.",
    "Who painted the Mona Lisa?": "Leonardo da Vinci worked on the portrait of Lisa Gherardini from about 1503; it hangs in the Louvre.",
    "What causes tides in the ocean?": "The gravitational pull of the Moon, and to a lesser degree of the Sun, makes the sea rise and fall twice a day.",
    "How can I lower my blood pressure?": "Cutting down on salt, exercising regularly, losing weight and drinking less alcohol all help against hypertension.",
    "When did the Berlin Wall fall?": "On the night of 9 November 1989 the border crossings in Berlin were opened after a press conference in the East.",
    "What is the difference between TCP and UDP?": "One protocol opens a connection and guarantees that segments arrive in order; the other just sends datagrams.",
    "Can dogs eat chocolate?": "Theobromine, found in cocoa, is poisonous to our canine friends: even a small bar can be dangerous for them.",
}


@pytest.mark.parametrize("query", QUESTIONS)
def test_the_answer_comes_first(rescoldo, all_minilm_ember, query):
    passages = [{"id": question, "text": answer} for question, answer in QUESTIONS.items()]
    line = json.dumps({"query": query, "passages": passages})
    ranked = json.loads(run(rescoldo, "rerank", "--model", all_minilm_ember, "--jsonl", "-", text=line))["passages"]
    assert ranked[0]["id"] == query
    assert len(ranked) == len(QUESTIONS)
