"""A scheduled report comes as a mail with PDF and XLSX, once, from a real console through a real SMTP session."""

import io
from email.message import EmailMessage

import openpyxl
import pytest
from pypdf import PdfReader

from tests.integration.console.harness import until
from tests.integration.console.report_mails import mailing, publish_now
from tests.integration.console.scenario import Scenario


async def test_a_report_is_mailed_once_its_figures_are_published_and_can_be_stopped(
    empty_scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = empty_scenario
    async with mailing(scenario, monkeypatch) as (site, mailbox), site.signed_in("brigade") as brigade:
        asked = {"of": "district", "value": "sample", "period": "month", "contacts": ["c-brigade"]}
        assert (await brigade.order("/api/v1/report-schedules", asked | {"contacts": ["c-health"]})).status_code == 422
        assert (await brigade.order("/api/v1/report-schedules", asked)).status_code == 200
        assert (await brigade.order("/api/v1/report-schedules", asked)).status_code == 409

        async def row() -> dict[str, object]:
            ((one,),) = [each["recipients"] for each in (await brigade.json("/api/v1/report-schedules"))["rows"]]
            return dict(one)

        async def reaches(state: str) -> None:
            async def reached() -> bool:
                return (await row())["state"] == state

            await until(reached)

        assert (await row())["state"] is None, "what was published before is not sent"
        mailbox.answer = "550 not here"
        publish_now(scenario)
        await reaches("failed")
        assert ((await row())["trouble"], mailbox.refused) == ("refused", 1)
        mailbox.answer = "250 OK"
        ((schedule,),) = [[each["schedule_id"] for each in (await brigade.json("/api/v1/report-schedules"))["rows"]]]
        await brigade.order(f"/api/v1/report-schedules/{schedule}/retry", {})
        await reaches("sent")

        (mail,) = mailbox.mails
        assert mail["To"] == "brigade@example.org"
        assert str(mail["Subject"]).startswith("全区联网监测月报")
        body = mail.get_body()
        assert isinstance(body, EmailMessage)
        text = body.get_content()
        assert "时间加权联网率" in text
        assert "Monthly report" in text
        files = {each.get_content_type(): each.get_content() for each in mail.iter_attachments()}
        pdf = PdfReader(io.BytesIO(files["application/pdf"]))
        assert "差3家" in "".join(page.extract_text() for page in pdf.pages).replace(" ", "")
        (xlsx,) = [content for media, content in files.items() if media.endswith(".sheet")]
        assert len(openpyxl.load_workbook(io.BytesIO(xlsx)).sheetnames) == 10

        stop = str(mail["List-Unsubscribe"]).strip("<>").replace("http://127.0.0.1:8080", site.url)
        async with site.client() as reader:
            assert "不再接收" in (await reader.get(stop)).text
            assert not (await row())["stopped"], "a mail scanner follows links"
            assert (await reader.post(stop)).status_code == 303
            assert (await reader.get(stop[:-4] + "AAAA")).status_code == 404
        assert (await row())["stopped"]
        assert len(mailbox.mails) == 1
