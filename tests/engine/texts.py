"""A thousand varied texts, the same on every machine: short and long, prose, many scripts, code, numbers, noise.

The tests compare the engine with PyTorch on them, and bench/accuracy measures the quantization errors on them.
"""

from __future__ import annotations

import random

SEED = 7

_SUBJECTS = (
    "The committee", "A small vineyard in Mendoza", "My neighbour's cat", "The Supreme Court", "An unsigned integer",
    "The kidney", "Photosynthesis", "A retired engineer", "The Ottoman Empire", "Every prime number", "The new update",
    "Her grandmother", "A black hole", "The city council", "Open-source software", "The patient", "A sourdough starter",
    "The treaty of 1648", "Our landlord", "The third movement of the symphony", "Inflation", "A blue whale",
)  # fmt: skip
_VERBS = (
    "has announced", "depends on", "was destroyed by", "quietly replaced", "cannot be compared with", "regulates",
    "was first described in", "outperformed", "is usually confused with", "reacts with", "borrowed money from",
    "gave its name to", "orbits", "refused to sign", "translates into", "converges to", "is forbidden in",
)  # fmt: skip
_OBJECTS = (
    "the annual budget", "dissolved oxygen", "a much older manuscript", "the electoral college", "twelve thousand volts",
    "cheap mobile phones", "the blood-brain barrier", "three bottles of olive oil", "a rejected pull request",
    "the inhabitants of the valley", "quarterly earnings", "the Riemann zeta function", "heavy rain in April",
    "an anonymous witness", "low-density lipoprotein", "the railway station at Atocha", "her second novel",
)  # fmt: skip
_TAILS = (
    "according to a report published on Tuesday", "even though nobody had asked", "in less than 0.5 % of all cases",
    "between 1914 and 1918", "which surprised the experts", "at a cost of $3.2 billion", "after the war",
    "for reasons that remain unclear", "when the temperature falls below -40 °C", "unless otherwise stated", "twice a day",
)  # fmt: skip
_QUESTIONS = (
    "how do i {} without losing my data", "what is the difference between {} and {}", "best {} near me open now",
    "why does {} cause {}", "is it safe to mix {} with {}", "who invented {}", "{} vs {}", "how many calories in {}",
)  # fmt: skip
_TOPICS = (
    "reset my router", "espresso", "a mortgage", "photosynthesis", "ibuprofen", "the French Revolution", "tensorflow",
    "climate change", "cross-country skiing", "vitamin D", "Kubernetes", "a 401(k)", "black mould", "double-entry bookkeeping",
)  # fmt: skip
_OTHER_LANGUAGES = (
    "El rescoldo guarda el calor de la hoguera toda la noche, y por la mañana basta soplar para que vuelva la llama.",
    "¿Cuál es la capital de Uruguay y cuántos habitantes tiene su área metropolitana?",
    "Der Zug nach Köln fährt heute wegen Bauarbeiten von Gleis 7 ab, die Größe des Gepäcks ist beschränkt.",
    "L'élève préféré du professeur a déjà répondu à cette question où l'on ne s'y attendait pas.",
    "Být, či nebýt, to je oč tu běží; příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Việt Nam là một quốc gia nằm ở phía đông bán đảo Đông Dương thuộc khu vực Đông Nam Á.",
    "Столица России — Москва, население которой превышает двенадцать миллионов человек.",
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας και μία από τις αρχαιότερες πόλεις του κόσμου.",
    "東京は日本の首都であり、世界最大級の都市圏を形成している。",
    "机器学习是人工智能的一个分支,它使计算机能够从数据中学习。",
    "대한민국의 수도는 서울이며 인구는 약 천만 명이다.",
    "القاهرة هي عاصمة جمهورية مصر العربية وأكبر مدنها.",
    "ירושלים היא עיר עתיקה ובה אתרים קדושים לשלוש דתות.",
    "भारत की राजधानी नई दिल्ली है और यहाँ कई भाषाएँ बोली जाती हैं।",
    "กรุงเทพมหานครเป็นเมืองหลวงและนครที่มีประชากรมากที่สุดของประเทศไทย",
    "İstanbul'un nüfusu on beş milyonu aşmıştır; ığdır ise daha küçüktür.",
)  # fmt: skip
_CODE = (
    "for (size_t i = 0; i < n; i++) { sum += (uint64_t)a[i] * b[i]; }",
    "def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)",
    "SELECT c.name, COUNT(*) AS orders FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY 1;",
    "kubectl get pods -n kube-system -o jsonpath='{.items[*].metadata.name}' | tr ' ' '\\\\n' | wc -l",
    "Traceback (most recent call last): File \"main.py\", line 12, in <module> KeyError: 'relevance_score'",
    "<div class=\"card\"><a href=\"https://example.org/?q=1&amp;r=2#top\">read more…</a></div>",
    "#define MAX(a, b) ((a) > (b) ? (a) : (b)) /* evaluates its arguments twice */",
    "git rebase --interactive HEAD~3 && git push --force-with-lease origin feature/JIRA-1234",
    "λx. (λy. x y) z → β-reduction; ∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−f(a)|<ε",
)  # fmt: skip
_ODD = (
    "a", "?", "...", "42", "[CLS] [SEP] [MASK]", "🙂🙃 👩‍👩‍👧‍👦 🇦🇷", "￼ �", "naïve café — “quoted” ‘text’ … № ½ ﬁ",
    "pneumonoultramicroscopicsilicovolcanoconiosis", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", "THE QUICK BROWN FOX", "tHe qUiCk bRoWn fOx", "  spaces   everywhere  ",
    "0xDEADBEEF 1e-5 3.14159 1,234,567.89 2026-11-24T13:37:00Z +54 9 11 5555-0000", "e\u0301 versus \u00e9, \u212b versus \u00e5",
)  # fmt: skip


def _sentence(generator: random.Random) -> str:
    tail = f" {generator.choice(_TAILS)}" if generator.random() < 0.6 else ""
    return f"{generator.choice(_SUBJECTS)} {generator.choice(_VERBS)} {generator.choice(_OBJECTS)}{tail}."


def paragraph(generator: random.Random, sentences: int) -> str:
    return " ".join(_sentence(generator) for _ in range(sentences))


def question(generator: random.Random) -> str:
    form = generator.choice(_QUESTIONS)
    return form.format(*generator.sample(_TOPICS, form.count("{}")))


def _numbers(generator: random.Random) -> str:
    return " ".join(f"{generator.uniform(-1e6, 1e6):.{generator.randrange(5)}f}" for _ in range(generator.randrange(3, 40)))


def _mixed(generator: random.Random) -> str:
    parts = [generator.choice(pool) for pool in (_OTHER_LANGUAGES, _CODE, _ODD)] + [_sentence(generator), _numbers(generator)]
    generator.shuffle(parts)
    return " ".join(parts[: generator.randrange(2, 6)])


def varied_texts(count: int = 1000) -> list[str]:
    """`count` different texts without line breaks. One in twelve is longer than 256 tokens, some longer than 512."""
    generator = random.Random(SEED)
    kinds = (
        (25, lambda: _sentence(generator)),
        (15, lambda: question(generator)),
        (20, lambda: paragraph(generator, generator.randrange(2, 8))),
        (5, lambda: paragraph(generator, generator.randrange(10, 16))),
        (9, lambda: paragraph(generator, generator.randrange(18, 45))),
        (8, lambda: generator.choice(_OTHER_LANGUAGES)),
        (5, lambda: " ".join(generator.sample(_OTHER_LANGUAGES, 4))),
        (7, lambda: " ".join(generator.sample(_CODE, generator.randrange(1, 4)))),
        (4, lambda: _numbers(generator)),
        (3, lambda: generator.choice(_ODD)),
        (3, lambda: _mixed(generator)),
    )
    makers = [maker for _, maker in kinds]
    weights = [weight for weight, _ in kinds]
    texts: dict[str, None] = {}
    while len(texts) < count:
        (maker,) = generator.choices(makers, weights)
        texts[maker()] = None
    return list(texts)


def pairs(queries: int, passages: int) -> list[tuple[str, list[str]]]:
    """Lists to rerank: each query with passages of many lengths, longer than the model takes among them."""
    generator = random.Random(SEED + 1)
    return [
        (
            question(generator),
            [
                generator.choice((_OTHER_LANGUAGES, _CODE))[generator.randrange(9)]
                if generator.random() < 0.15
                else paragraph(generator, generator.choice((1, 1, 2, 3, 5, 8, 13, 34)))
                for _ in range(passages)
            ],
        )
        for _ in range(queries)
    ]
