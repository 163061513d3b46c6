"""Marks of issuing bodies in the environment."""

import pytest
from pydantic import ValidationError

from services.documents.settings import DocumentsSettings


def test_marks_are_pairs_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMENTS_MARKS", "centre=消监, centre-b=云消监")
    assert DocumentsSettings().marks == {"centre": "消监", "centre-b": "云消监"}


@pytest.mark.parametrize("marks", ["centre", "centre=", "=消监", "a=消监,b=消监"])
def test_marks_that_cannot_tell_bodies_apart_are_refused(marks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMENTS_MARKS", marks)
    with pytest.raises(ValidationError):
        DocumentsSettings()
