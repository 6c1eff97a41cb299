"""
What is installed here: the Python distributions of this machine in five related relations, and what they tell.

    python -m examples.packages [database]

`relations` declares, `machine` reads the machine, `commits` stores what it found, `questions` asks, `screen` shows.
Run it a second time, or after installing something: what changed is updated, and what is gone is deleted.
"""
