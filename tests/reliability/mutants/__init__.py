"""Small mistakes put into the code on purpose, to see whether a test minds them.

``python -m tests.reliability.mutants --sample 300 --seed 0 --output mutants.json``
"""
