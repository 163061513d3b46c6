"""Supervision of one link: proofs of life, silence, and our own blindness.

    NEVER
      |  proof
      v        late_after of silence, or the broker: it is gone
    ONLINE ---------------------------------------------------> LATE
      ^ ^  <------------------------------- proof ------------- |  |
      | |                                                       |  |  offline_after of silence,
      | |                     offline_after of silence,         |  |  visibility clear all along
      | |                     visibility impaired               |  |
      | +-------- proof ----- UNKNOWN <-------------------------+  |
      |                        |   ^                               |
      |      seen, silent for  |   |  blind: from ONLINE, LATE,    |
      |      offline_after     v   |  OFFLINE once commissioned    |
      +--- `stable` proofs --- OFFLINE <---------------------------+

OFFLINE is a proven loss: somebody looked from the last proof to the deadline, or since visibility is clear. UNKNOWN
says nothing of the unit. A proof that is older than the broker's word leads to LATE where another leads to ONLINE.

Each step changes the link alone and returns the moment of it, None where nothing changed; what follows for the unit,
its findings and the next deadline is the engine's. `evidence` is the record that is being worked off.
"""

from services.kernel.words import Connection
from services.rules.domain.effects import Evidence, Moment
from services.rules.domain.inputs import Signal
from services.rules.domain.time.watch import Watch
from services.rules.domain.unit.connection import Link
from services.rules.domain.words import Cause


def prove(link: Link, at: int, signal_id: str, evidence: Evidence) -> Moment | None:
    """Something came from the gateway at `at`: it is online, or one step nearer to it after it was lost."""
    state = link.state
    if state is Connection.OFFLINE:
        if not _steady(link, at):
            return None
    elif state is not Connection.NEVER and at <= link.last_proof:
        return None
    link.last_proof = max(link.last_proof, at)
    # A proof that is older than the broker's word that the gateway is gone shows that it had been there.
    wanted = Connection.LATE if link.last_proof < link.down_at else Connection.ONLINE
    if wanted is state:
        return None
    link.state, link.streak = wanted, 0
    return Moment(link.last_proof, max(at, link.last_proof), Cause.SIGNAL, evidence, signal_id)


def _steady(link: Link, at: int) -> bool:
    """Count proofs in a row of a lost link; return whether they are enough to call it online.

    One from before it was declared lost is old news: the watermark had passed it.
    """
    if at <= link.lost_at:
        return False
    profile = link.registration.profile
    gap = at - link.last_proof
    in_a_row = link.streak > 0 and abs(gap) <= profile.offline_after
    link.streak = link.streak + 1 if in_a_row else 1
    link.last_proof = max(link.last_proof, at)
    return link.streak >= profile.stable


def link_down(link: Link, signal: Signal, evidence: Evidence) -> Moment | None:
    """The broker says that the gateway is gone: late at once, lost only when its deadline passes."""
    at = signal.received_at
    if at <= link.last_proof or at <= link.down_at:
        return None
    link.down_at = at
    if link.state is not Connection.ONLINE:
        return None
    link.state = Connection.LATE
    return Moment(at, at, Cause.LINK_DOWN, evidence, signal.signal_id)


def due_at(link: Link, watch: Watch) -> int | None:
    """Return the instant after which silence changes the state of `link`; None while it cannot."""
    profile, state = link.registration.profile, link.state
    if state is Connection.ONLINE:
        return max(link.last_proof, watch.usable_since or 0) + profile.late_after
    if state not in (Connection.LATE, Connection.UNKNOWN):
        return None
    if watch.clear_since is not None:
        return max(link.last_proof, watch.clear_since) + profile.offline_after
    if state is Connection.LATE:
        return max(link.last_proof, watch.usable_since or 0) + profile.offline_after
    return None


def expire(link: Link, deadline: int, watch: Watch, evidence: Evidence) -> Moment:
    """Nothing came until `deadline`, which `due_at` gave."""
    effective, cause = deadline, Cause.DEADLINE
    if link.state is Connection.ONLINE:
        link.state = Connection.LATE
    elif watch.clear_since is not None:
        link.state, link.streak, link.lost_at = Connection.OFFLINE, 0, deadline
        effective = max(link.last_proof, watch.clear_since)
    else:
        link.state, link.streak = Connection.UNKNOWN, 0
        effective, cause = max(link.last_proof, watch.impaired_since), Cause.IMPAIRED
    return Moment(effective, deadline, cause, evidence)


def lose_visibility(link: Link, last: int, resumed_at: int, evidence: Evidence) -> Moment | None:
    """Nobody looked from `last`, the last watermark, until `resumed_at`: what was known stops being known at `last`."""
    known = (Connection.ONLINE, Connection.LATE, *([Connection.OFFLINE] if link.registration.commissioned else []))
    if link.state not in known or link.last_proof >= resumed_at:
        return None
    link.state, link.streak = Connection.UNKNOWN, 0
    return Moment(max(last, link.last_proof), resumed_at, Cause.BLIND, evidence)
