"""What a request becomes: always the same document, in Chinese at least."""

from dataclasses import replace

import pytest

from services.documents.domain.catalogue import entry_of
from services.documents.domain.document import document_id_of, languages_of
from services.documents.domain.errors import NotIssuable
from services.documents.domain.reasons import RefusedBecause
from services.kernel.words import INSTRUMENTS_ISSUED, Instrument, Language
from tests.unit.documents.build import request
from tests.unit.documents.samples import sample


def test_the_same_request_of_the_same_source_is_the_same_document() -> None:
    assert document_id_of("/alerts", "R1") == document_id_of("/alerts", "R1")
    assert document_id_of("/alerts", "R1") != document_id_of("/alerts", "R2")
    assert document_id_of("/alerts", "R1") != document_id_of("/compliance", "R1")


def test_chinese_is_always_made_and_comes_first() -> None:
    assert languages_of(request(languages=["en"])) == (Language.ZH, Language.EN)
    assert languages_of(request(languages=["zh"])) == (Language.ZH,)


@pytest.mark.parametrize("instrument", list(Instrument))
def test_every_kind_is_issued_from_its_own_facts_and_refused_with_others(instrument: Instrument) -> None:
    assert entry_of(sample(instrument)).instrument is instrument
    others = sample("I6") if instrument in INSTRUMENTS_ISSUED else sample("I1")
    with pytest.raises(NotIssuable) as refused:
        entry_of(replace(others, instrument=instrument))
    assert refused.value.reason is RefusedBecause.FACTS_MISSING
