"""How many candidates a search may have, of nodes and commands alike.

They share it: thresholds that were found with more candidates than a node takes hold for no node.
"""

USUAL_CANDIDATES = 100
CANDIDATE_LIMITS = (1, 10_000)
