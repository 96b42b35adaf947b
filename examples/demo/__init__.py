"""The demo behind `make demo`: a map from one bag, the node, another bag played to it, the errors.

python -m examples.demo                               # two drives along a rendered street
python -m examples.demo --bag A --query B             # your own bags
python -m examples.demo --bag A                       # one bag, its frames taken in turns
"""
