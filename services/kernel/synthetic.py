"""The synthetic alarm: one name, of a gateway and of its unit, that no register may give away.

It stands in no register, so nothing that counts registered units can count it. The name alone makes no alarm synthetic:
see services/alerts/domain/synthetic.py for what does.
"""

SYNTHETIC = "FIRENET-SYNTHETIC"
