"""Looking over a queue's database: facts, rules that judge them, and findings with what to do.

Facts come from `store/inspection_store.py`; the rules are pure, and each finding names its object, what was found and the way out.
"""
