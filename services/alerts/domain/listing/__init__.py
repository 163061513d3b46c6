"""Listed supervision (挂牌督办) of a case, from the proposal to its closure (销案)."""
