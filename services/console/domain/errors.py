"""What can go wrong for a reader. Each has one code; the page has a sentence for it in both languages.

ConsoleError
+- NotSignedIn          no session, or it has ended
|  +- PasswordDue       signed in with a one-time password, which has to be changed first
|  +- SecondFactorDue   signed in without the second factor that this account has to have
+- OtherSession         the page was made for another sign-in than the browser has now
+- WrongPassword        the current password, which a change asks for, is not right
+- BadAccountOrder      the description of an account or a new password breaks a rule; carries the sentence
+- AccountExists        there is an account of that name
+- OwnAccount           an administrator cannot shut himself out
+- LastAdministrator    it would leave no administrator who can sign in
+- WrongCode            the code of the second factor is not right, was taken before, or its enrolment is over
+- HasSecondFactor      there is one already: it is removed first
+- SecondFactorUnavailable  no key is set to seal secrets with
+- BadCredentials       the pair of name and password is not right (never says which)
+- LockedOut            too many failures; carries the wait
+- TooBusy              a bound on streams, sign-ins or reads is reached
+- ProviderUnavailable  the identity provider did not answer in time, or cannot be reached
+- ProviderRefused      its answer is not one that we may believe, or it knows nothing of this sign-in
+- ProviderDenied       it did not sign this person in
+- NotLinked            nobody linked an account to this person; carries the subject
+- SignInOver           this browser began no such sign-in, or too long ago
+- IdentityTaken        another account is linked to this person
+- Forged               the CSRF token or the origin is wrong
+- NotAllowed           the role may not do this
+- NotFound             there is none, or it is not in the viewer's slice (one answer for both)
+- Conflict             the case changed meanwhile
+- OrdersUnavailable    Kafka did not take an order in time; it was not given
+- BadLink              a signed link opens nothing: altered, over, taken back or never ours (one answer for all)
+- DocumentRefused      what is done to a document does not fit what stands; its code says why
+- ListingRefused       an act on a listing does not fit what stands; its code says why
+- DocumentsUnavailable the service that keeps the documents did not answer in time, or refused us
+- AlertsUnavailable    the service that keeps the cases did not answer in time, or refused us
+- RegistryUnavailable  the service that keeps the register did not answer in time, or refused us
+- AdjustmentRefused    the registry refuses a request or a decision about an adjustment
|  +- BadAdjustment     it makes no sense; carries the registry's sentence
|  +- SamePerson        who asked, or approved already, may not (again)
|  +- NotWaiting        it was decided about meanwhile
|  +- AdjustmentOver    its time is over
|  +- NoChange          the register says so already
|  +- ChangedSince      the register was changed since the proposal was made
|  +- FaultyFile        the register would not take the file; carries what is to be mended
+- WhatIfRunning        this account has one that is not answered yet
+- WhatIfsWaiting       too many of all accounts are not answered yet
+- WhatIfPeriod         the period is not over, or longer than a month
+- ScheduleExists       this report is sent already: its recipients are changed instead
+- BadRecipients        nobody, too many, or one that may not have this report
+- DataUnavailable      the database did not answer in time
+- Stopping             the console was told to stop before the answer was ready
"""

from collections.abc import Mapping
from typing import Any


class ConsoleError(Exception):
    """Base of all. `code` is the same word in JSON, log and metric."""

    code = "internal"


class NotSignedIn(ConsoleError):
    code = "not_signed_in"


class PasswordDue(NotSignedIn):
    code = "password_due"


class SecondFactorDue(NotSignedIn):
    code = "second_factor_due"


class WrongCode(ConsoleError):
    code = "wrong_code"


class HasSecondFactor(ConsoleError):
    code = "has_second_factor"


class SecondFactorUnavailable(ConsoleError):
    code = "second_factor_unavailable"


class LastAdministrator(ConsoleError):
    code = "last_administrator"


class WrongPassword(ConsoleError):
    code = "wrong_password"


class BadAccountOrder(ConsoleError):
    code = "bad_account"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class AccountExists(ConsoleError):
    code = "account_exists"


class OwnAccount(ConsoleError):
    code = "own_account"


class OtherSession(ConsoleError):
    code = "other_session"


class BadCredentials(ConsoleError):
    code = "bad_credentials"


class LockedOut(ConsoleError):
    code = "locked_out"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"try again in {retry_after_s} seconds")
        self.retry_after_s = retry_after_s


class TooBusy(ConsoleError):
    code = "too_busy"


class ProviderUnavailable(ConsoleError):
    code = "provider_unavailable"


class ProviderRefused(ConsoleError):
    code = "provider_refused"


class ProviderDenied(ConsoleError):
    code = "provider_denied"


class NotLinked(ConsoleError):
    code = "not_linked"

    def __init__(self, subject: str) -> None:
        super().__init__("no account is linked to this person")
        self.subject = subject


class SignInOver(ConsoleError):
    code = "sign_in_over"


class IdentityTaken(ConsoleError):
    code = "identity_taken"


class Forged(ConsoleError):
    code = "forged"


class NotAllowed(ConsoleError):
    code = "not_allowed"


class NotFound(ConsoleError):
    code = "not_found"


class Conflict(ConsoleError):
    code = "conflict"


class OrdersUnavailable(ConsoleError):
    code = "orders_unavailable"


class BadLink(ConsoleError):
    code = "bad_link"


DOCUMENT_REASONS = frozenset(
    {
        "no_such_document",
        "no_such_submission",
        "mail_changed",
        "mail_decided",
        "not_a_recipient",
        "not_an_addressee",
        "not_signed",
        "not_issued",
        "closed",
        "undecided",
        "changed",
        "decided",
        "no_name",
        "no_text",
        "no_reasons",
        "too_many_files",
        "file_too_large",
        "files_too_large",
        "file_type",
        "text_too_long",
        "bad_field",
        "too_large",
        "several_packs",
        "form",
    }
)
"""Why documents refuses, as far as the page has a sentence for it."""


class DocumentRefused(ConsoleError):
    code = "document_refused"

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        if reason in DOCUMENT_REASONS:
            self.code = f"document_{reason}"


LISTING_REASONS = frozenset(
    {
        "not_now",
        "changed",
        "full",
        "under_way",
        "unfit",
        "case_closed",
        "file_changed",
        "same_person",
        "reasons_missing",
        "level_missing",
        "level_wrong",
        "number_missing",
        "date_missing",
        "date_wrong",
        "deadline_missing",
        "deadline_past",
        "deadline_far",
        "extension_undecided",
        "evidence_missing",
        "inspector_missing",
    }
)
"""What alerts says of an act on a listing; each has a sentence of its own on the page."""
UPLOAD_REASONS = frozenset(
    {"too_many_files", "file_too_large", "files_too_large", "file_type", "bad_field", "too_large"}
)


class ListingRefused(ConsoleError):
    """Alerts refuses an act on a listing; what is wrong with files has the sentences of documents."""

    code = "listing_refused"

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        if reason in LISTING_REASONS:
            self.code = f"listing_{reason}"
        elif reason in UPLOAD_REASONS:
            self.code = f"document_{reason}"


class DocumentsUnavailable(ConsoleError):
    code = "documents_unavailable"


class AlertsUnavailable(ConsoleError):
    code = "alerts_unavailable"


class RegistryUnavailable(ConsoleError):
    code = "registry_unavailable"


class AdjustmentRefused(ConsoleError):
    code = "adjustment_refused"


class BadAdjustment(AdjustmentRefused):
    code = "bad_adjustment"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class SamePerson(AdjustmentRefused):
    code = "same_person"


class NotWaiting(AdjustmentRefused):
    code = "not_waiting"


class AdjustmentOver(AdjustmentRefused):
    code = "over"


class NoChange(AdjustmentRefused):
    code = "no_change"


class ChangedSince(AdjustmentRefused):
    code = "changed_since"


class FaultyFile(AdjustmentRefused):
    code = "faulty_file"

    def __init__(self, report: Mapping[str, Any]) -> None:
        super().__init__("the register would not take the file")
        self.report = report


class WhatIfRunning(ConsoleError):
    code = "what_if_running"


class WhatIfsWaiting(ConsoleError):
    code = "what_ifs_waiting"


class WhatIfPeriod(ConsoleError):
    code = "what_if_period"


class ScheduleExists(ConsoleError):
    code = "schedule_exists"


class BadRecipients(ConsoleError):
    code = "bad_recipients"


class DataUnavailable(ConsoleError):
    code = "data_unavailable"


class Stopping(ConsoleError):
    code = "stopping"
