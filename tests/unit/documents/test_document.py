"""What a request becomes: always the same document, in Chinese at least."""

import pytest

from services.documents.domain.catalogue import entry_of
from services.documents.domain.document import document_id_of, languages_of
from services.documents.domain.errors import NotIssuable
from services.documents.domain.reasons import RefusedBecause
from services.kernel.words import INSTRUMENTS_ISSUED, Instrument, Language
from tests.unit.documents.build import request


def test_the_same_request_of_the_same_source_is_the_same_document() -> None:
    assert document_id_of("/alerts", "R1") == document_id_of("/alerts", "R1")
    assert document_id_of("/alerts", "R1") != document_id_of("/alerts", "R2")
    assert document_id_of("/alerts", "R1") != document_id_of("/compliance", "R1")


def test_chinese_is_always_made_and_comes_first() -> None:
    assert languages_of(request(languages=["en"])) == (Language.ZH, Language.EN)
    assert languages_of(request(languages=["zh"])) == (Language.ZH,)


def test_what_nobody_issues_here_yet_is_refused_with_a_reason() -> None:
    for instrument in Instrument:
        if instrument in INSTRUMENTS_ISSUED:
            assert entry_of(instrument).instrument is instrument
        else:
            with pytest.raises(NotIssuable) as refused:
                entry_of(instrument)
            assert refused.value.reason is RefusedBecause.NOT_ISSUED_HERE
