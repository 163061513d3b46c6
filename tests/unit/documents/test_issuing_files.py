"""Form and files of what is issued: checked before, made in time, and never what a document waits for."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from services.documents.domain.document import document_id_of, numbered
from services.documents.domain.errors import NotNumbered
from services.documents.domain.reasons import FilesMissing, FormRule
from services.documents.worker.late_files import LateFilesService
from services.kernel.words import DocumentState, Instrument
from tests.fakes.documents import PlainRenderer, PlainTypesetter, unit_of
from tests.unit.documents.build import T0, at, request
from tests.unit.documents.samples import sample
from tests.unit.documents.test_issuing import Scenario


def scenario(drafts: Collection[Instrument] = ()) -> tuple[Scenario, PlainTypesetter]:
    typesetter = PlainTypesetter()
    return Scenario(typesetter, drafts), typesetter


async def test_a_document_is_issued_with_its_files() -> None:
    here, _ = scenario()
    here.clock.at = T0
    await here.take(request("R1"))
    (document,) = here.store.tables.documents.values()
    assert [one.content for one in document.files] == ["%PDF 消监告〔2026〕1号".encode()]


@pytest.mark.parametrize("reason", list(FilesMissing))
async def test_a_document_whose_files_cannot_be_made_is_issued_without_them_and_counted(reason: FilesMissing) -> None:
    here, typesetter = scenario()
    here.clock.at = T0
    typesetter.away = reason
    await here.take(request("R1"))
    assert here.numbers() == ["消监告〔2026〕1号"]
    assert here.counted("firenet_documents_without_files_total", reason=reason) == 1


async def test_a_request_that_is_late_already_is_not_kept_waiting_for_files() -> None:
    here, typesetter = scenario()
    here.clock.at = T0 + timedelta(seconds=6)
    await here.take(request("R1"))
    assert here.numbers() == ["消监告〔2026〕1号"]
    assert typesetter.made == 0
    assert here.counted("firenet_documents_without_files_total", reason="too_late") == 1


async def test_a_document_that_breaks_the_form_is_not_issued_and_gives_its_number_back() -> None:
    here, _ = scenario()
    await here.take(request("R1"), unit_of(request("R2"), "UNFORMED"), request("R3"))
    assert here.numbers() == ["消监告〔2026〕1号", "消监告〔2026〕2号"]
    assert here.counted("firenet_documents_refused_total", reason="form") == 1
    assert here.counted("firenet_documents_form_breaches_total", rule=FormRule.ADDRESSEE) == 1


async def test_what_an_authority_issues_is_a_draft_and_uses_no_number() -> None:
    here, _ = scenario()
    await here.take(sample("I5"), offset=1)
    (draft,) = here.store.tables.documents.values()
    assert (draft.state, draft.number, draft.number_text) == (DocumentState.DRAFT, None, "")
    assert here.store.tables.series == {}


async def test_an_issuer_that_numbers_its_own_documents_gets_drafts() -> None:
    here, _ = scenario(drafts=[Instrument.COPY_NOTICE])
    await here.take(sample("I4"), offset=1)
    (draft,) = here.store.tables.documents.values()
    assert draft.state is DocumentState.DRAFT


async def test_a_draft_becomes_a_document_by_the_number_and_date_of_its_issuer() -> None:
    here, _ = scenario()
    await here.take(sample("I5"), offset=1)
    draft = here.store.tables.documents[document_id_of("/alerts", "R1")]
    issued = numbered(draft, "鼓消限〔2026〕7号", at(86400))
    assert (issued.state, issued.number_text) == (DocumentState.ISSUED, "鼓消限〔2026〕7号")
    assert issued.issued_at == at(86400)
    assert issued.event_id != draft.event_id, "it is told of once more"
    with pytest.raises(NotNumbered):
        numbered(issued, "鼓消限〔2026〕8号", at(86400))


@pytest.mark.parametrize(
    ("number", "days"), [("鼓消限[2026]7号", 0), ("鼓消限〔2025〕7号", 0), ("鼓消限〔2026〕7号", -5)]
)
async def test_a_number_or_date_that_cannot_be_is_refused(number: str, days: int) -> None:
    here, _ = scenario()
    await here.take(sample("I5"), offset=1)
    with pytest.raises(NotNumbered):
        numbered(here.store.tables.documents[document_id_of("/alerts", "R1")], number, at(days * 86400))


async def test_the_number_stands_in_the_texts_and_files_afterwards_and_the_document_is_told_of_again() -> None:
    here, _ = scenario()
    await here.take(sample("I5"), offset=1)
    await here.publishing.turn()
    document_id = document_id_of("/alerts", "R1")
    await here.drafts.number(document_id, "鼓消限〔2026〕7号", at(86400), by="officer")
    issued = here.store.tables.documents[document_id]
    assert "鼓消限〔2026〕7号" in issued.renditions[0].text
    assert issued.files[0].content.endswith("鼓消限〔2026〕7号".encode())
    await here.publishing.turn()
    assert here.stream.sent == ["", "鼓消限〔2026〕7号"]
    with pytest.raises(NotNumbered):
        await here.drafts.number("nothing", "鼓消限〔2026〕7号", at(0), by="officer")


async def test_files_that_there_was_no_time_for_are_made_afterwards_and_nothing_is_told_of_again() -> None:
    here, typesetter = scenario()
    here.clock.at = T0 + timedelta(seconds=6)
    await here.take(request("R1"))
    await here.publishing.turn()
    late = LateFilesService(store=here.store, renderer=PlainRenderer(), typesetter=typesetter)
    assert await late.turn() == 1
    (document,) = here.store.tables.documents.values()
    assert [one.content for one in document.files] == ["%PDF 消监告〔2026〕1号".encode()]
    assert await late.turn() == 0
    assert await here.publishing.turn() == 0


@pytest.mark.parametrize("reason", [FilesMissing.NO_FONT, FilesMissing.TOO_LARGE, FilesMissing.ENGINE])
async def test_files_that_another_try_would_not_make_are_not_tried_again(reason: FilesMissing) -> None:
    here, typesetter = scenario()
    here.clock.at = T0
    typesetter.away = reason
    await here.take(request("R1"))
    assert await here.store.lacking(9) == []


async def test_of_a_wording_that_this_version_does_not_have_no_file_is_made() -> None:
    here, typesetter = scenario()
    here.clock.at = T0 + timedelta(seconds=6)
    await here.take(request("R1"))
    ((key, document),) = here.store.tables.documents.items()
    here.store.tables.documents[key] = replace(document, template="I1@99")
    late = LateFilesService(store=here.store, renderer=PlainRenderer(), typesetter=typesetter)
    assert await late.turn() == 1
    assert typesetter.made == 0
    assert await late.turn() == 0, "it is not looked at for ever"
