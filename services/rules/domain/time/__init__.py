"""Time of a partition: how far it is proven, who was looking, and what falls due as it moves on."""
