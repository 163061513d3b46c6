"""What an ask can be refused for."""


class Refused(Exception):
    """`code` is one of figures.md 1; `where` is free text."""

    def __init__(self, code: str, where: str) -> None:
        super().__init__(f"{code}: {where}")
        self.code = code
        self.where = where
