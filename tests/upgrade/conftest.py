"""The version before as a fixture; skips with one line where this clone does not have it."""

from collections.abc import Iterator

import pytest

from deploy.stack import firenet
from tests.upgrade.versions import NotToBeHad, Version, before


@pytest.fixture(scope="package", autouse=True)
def _settings() -> Iterator[None]:
    """Processes start one after the other here, and are waited for: on a busy machine it would take minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firenet, "STANDS_BACK", {})
        yield


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Version:
    try:
        return before(tmp_path_factory.mktemp("before"))
    except NotToBeHad as error:
        pytest.skip(str(error))
