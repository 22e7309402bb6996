"""What the clients are given to rank and to embed."""

QUERY = "What is the capital of France?"
DOCUMENTS = [
    "Berlin is the capital of Germany.",
    "Paris is the capital of France.",
    "Bread is baked from flour, water and salt.",
    "La Tour Eiffel se trouve à Paris 🗼.",
    "paris " * 400,
]
