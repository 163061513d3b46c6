"""What GB/T 26875.3 frames say in FireNet's own words. Nothing is lost: every information object gives a message.

A status word is the whole state of its point: set bits begin, clear bits end, each at a point of its own, so that no
trouble hides or ends another. Two rules stand above that:

- An alarm is never dropped or softened. What may be a test (bit 0 clear) begins troubles, flagged, and ends none.
- A point that cannot be seen ends no fire: a detector that burns turns from fire to fault.

A whole system (type 1) is another thing than a detector. Its fire bit is the state of the panel, which holds until
somebody resets it, whatever becomes of the detector that rang (GB 4717); its fault bit says only that something
somewhere is faulty, and may stand for months. So a status with the fault bit set and the fire bit clear says that the
panel was reset: it ends the fire that the system's own status began, and less than the record of a reset does, which
ends all fires of the system. It ends no other:

- A component's fire, and that of a key, has a word of its own. Nothing in the standard says in which order a device
  sends both, or that the word of the system was put together after that of the component.
- Not with the isolation bit: what was isolated while it burned does not ring again after a reset.
- Not with the fault of the bus: the panel has lost its detectors, and what it shows of them.
- Not without the normal bit, unless the profile of the device says that it never sets it: that may be a test.
"""

from services.ingest.domain.gb26875_signals.reading import Said, names_its_time, read_signals

__all__ = ["Said", "names_its_time", "read_signals"]
