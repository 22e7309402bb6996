"""What the tests rank."""

QUERIES = ["What is the capital of France?", "how long are eggs boiled", "Who wrote the Iliad, and when?"]

PASSAGES = [
    "Berlin is the capital of Germany.",
    "Paris is the capital and largest city of France, on the Seine in the north of the country.",
    "Eggs are boiled for seven to ten minutes, depending on how firm the yolk shall be.",
    "",
    "The Iliad is one of the oldest works of literature still read; tradition names Homer as its author. " * 12,
    "Émile lives in Paris; 東京 is far away.",
    "A kettle boils water faster than a pot without a lid.",
    "The capital of a company is what its owners have put into it.",
    "Marseille, Lyon and Toulouse are large cities of France as well. " * 40,
    "Homer is said to have been blind.",
    "France won the cup twice.",
    "Water boils at 100 degrees Celsius at sea level, and eggs take longer on a mountain.",
]
