"""The first dashboard: how the district stands. What a duty officer asks first is first."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.panels import (
    COUNT,
    PER_SECOND,
    PERCENT,
    SECONDS,
    Q,
    State,
    Words,
    bars,
    dashboard,
    figures,
    lines,
    rows,
    states,
)

UID = "firenet-district"
LOW, HIGH = "下限 low", "上限 high"
RATE_TEXT = (
    "此刻在线单位 ÷ 应联网单位（豁免除外），向下取整到千分之一。"
    "下限把看不见的单位算作未联网，上限算作已联网；两者不同即我方视野不全。"
    " Connected now divided by in scope and not exempt, floored to a tenth of a percent. Low counts units that "
    "are unknown as not connected, high as connected: where they differ we do not see "
    "everything. An empty scope has no rate."
)
SEEN = [State("0", "看得见 clear", "green")]


def build() -> Dashboard:
    text = (
        "辖区实时联网率、单位状态、案件，以及我方是否看得见。 Live networking rates, units, cases, and whether we see."
    )
    board = dashboard(
        UID, "消防联网：辖区总览 · FireNet: district", text, other="其他看板 · other dashboards", department=True
    )
    for part in (_rates, _figures, _units, _departments, _cases, _visibility, _own_alerts):
        part(board)
    return board


def _rates(board: Dashboard) -> None:
    board.with_row(Row("实时联网率 · Live networking rate"))
    for scope, zh in (("S1", "重点单位联网率 S1"), ("S2", "新改扩建联网率 S2")):
        words = Words(zh, f"{scope} rate now", RATE_TEXT, PERCENT)
        low = f'scope:firenet_console_scope_networking_rate_low_ratio:min{{scope="{scope}"}}'
        high = f'scope:firenet_console_scope_networking_rate_high_ratio:max{{scope="{scope}"}}'
        board.with_panel(figures(words, Q(low, LOW), Q(high, HIGH), decimals=1))
        words = Words(
            f"{scope} 分子与分母",
            f"{scope} numerator and denominator",
            "联网率由哪些数得来：在线、应联网、看不见。 What the rate is made of: connected, in scope, unseen.",
            COUNT,
        )
        board.with_panel(
            figures(
                words,
                Q(f'scope:firenet_console_scope_connected_units:min{{scope="{scope}"}}', "在线 connected"),
                Q(f'scope:firenet_console_scope_units:max{{scope="{scope}"}}', "应联网 in scope"),
                Q(f'scope:firenet_console_scope_unknown_units:max{{scope="{scope}"}}', "未知 unknown"),
            )
        )
    words = Words("联网率走势", "Rates over time", RATE_TEXT, PERCENT)
    board.with_panel(
        lines(
            words,
            Q('scope:firenet_console_scope_networking_rate_low_ratio:min{scope=~"S1|S2"}', "{{scope}} " + LOW),
            Q('scope:firenet_console_scope_networking_rate_high_ratio:max{scope=~"S1|S2"}', "{{scope}} " + HIGH),
            width=24,
        )
    )


FIGURE_TEXT = (
    "上一已关闭周期与进行中周期的指标（compliance 计算），只显示日与月、辖区与部门。下限把看不见的时间算作未达到。"
    " Figures of the period closed last and of the one that runs, as compliance computed them: days and months, "
    "district and departments. Low counts time out of our sight as lost."
)


def _figures(board: Dashboard) -> None:
    board.with_row(Row("周期指标 · Figures of periods"))
    for kind, zh, en in (("district", "辖区", "district"), ("department", "部门", "departments")):
        chosen = f'slice="{kind}"' + (', id=~"$department"' if kind == "department" else "")
        words = Words(f"时间加权联网率（{zh}）", f"Time-weighted rate, {en}", FIGURE_TEXT, PERCENT)
        series = f'metric="time_weighted_networking_rate", {chosen}'
        board.with_panel(
            lines(
                words,
                Q(f"min by (scope, period, state, id) (firenet_figure_low_ratio{{{series}}})",
                  "{{id}} {{scope}} {{period}} {{state}} " + LOW),
                Q(f"max by (scope, period, state, id) (firenet_figure_high_ratio{{{series}}})",
                  "{{id}} {{scope}} {{period}} {{state}} " + HIGH),
            )
        )  # fmt: skip
    words = Words("辖区各项指标（上一已关闭）", "All figures of the district, closed last", FIGURE_TEXT, PERCENT)
    columns = {
        "metric": "指标 metric",
        "scope": "范围 scope",
        "period": "周期 period",
        "id": "辖区 district",
        "Value #A": LOW,
        "Value #B": HIGH,
    }
    closed = 'state="closed", slice="district"'
    board.with_panel(
        rows(
            words,
            Q(f"min by (metric, scope, period, id) (firenet_figure_low_ratio{{{closed}}})", ""),
            Q(f"max by (metric, scope, period, id) (firenet_figure_high_ratio{{{closed}}})", ""),
            columns=columns,
            percent=(LOW, HIGH),
        )
    )
    words = Words(
        "指标已算到",
        "Figures known up to",
        "多久以前的日志已计入指标。 Age of the newest log that figures know.",
        SECONDS,
    )
    board.with_panel(lines(words, Q("time() - max(firenet_figures_known_at_timestamp_seconds)", "age")))


def _units(board: Dashboard) -> None:
    chosen = '{department=~"$department"}'
    board.with_row(Row("单位 · Units"))
    text = (
        "按连接状态的单位数。未知是我方看不见，不是单位的责任；迟到尚未证明失联。"
        " Units by connection. Unknown is our own blindness, never the unit's fault; late is not yet proven lost."
    )
    board.with_panel(
        lines(
            Words("联网状态", "Units by connection", text, COUNT),
            Q(f"sum by (connection) (department_connection:firenet_rules_units:sum{chosen})", "{{connection}}"),
            stacked=True,
        )
    )
    text = (
        "单位自报的设施状态。未知：尚未发过话，或我方此刻看不见。"
        " What units say of their own system. Unknown: never said, or blind now."
    )
    board.with_panel(
        lines(
            Words("设施状态", "Units by health", text, COUNT),
            Q(f"sum by (health) (department_health:firenet_rules_units_health:sum{chosen})", "{{health}}"),
            stacked=True,
        )
    )


def _departments(board: Dashboard) -> None:
    chosen = '{department=~"$department"}'
    named = "scope_department:firenet_console_department_scope"
    words = Words("各部门联网率", "Rates by department", RATE_TEXT, COUNT)
    columns = {
        "department": "部门 department",
        "scope": "范围 scope",
        "Value #A": "在线 connected",
        "Value #B": "应联网 in scope",
        "Value #C": "未知 unknown",
        "Value #D": LOW,
        "Value #E": HIGH,
    }
    board.with_panel(
        rows(
            words,
            Q(f"{named}_connected_units:min{chosen}", ""),
            Q(f"{named}_units:max{chosen}", ""),
            Q(f"{named}_unknown_units:max{chosen}", ""),
            Q(f"{named}_networking_rate_low_ratio:min{chosen}", ""),
            Q(f"{named}_networking_rate_high_ratio:max{chosen}", ""),
            columns=columns,
            percent=(LOW, HIGH),
        )
    )


def _cases(board: Dashboard) -> None:
    chosen = '{department=~"$department"}'
    board.with_row(Row("案件与火警 · Cases and fire"))
    text = "按种类的未结案件。 Open cases by kind, as they stand in the database."
    board.with_panel(
        lines(
            Words("未结案件", "Open cases", text, COUNT),
            Q(f"sum by (kind) (kind_department:firenet_alerts_open_cases:max{chosen})", "{{kind}}"),
            stacked=True,
        )
    )
    text = "按牵头部门的未结案件。 Open cases by lead department."
    board.with_panel(
        bars(
            Words("各部门未结案件", "Open cases by department", text, COUNT),
            Q(f"sum by (department) (kind_department:firenet_alerts_open_cases:max{chosen})", "{{department}}"),
        )
    )
    text = (
        "火警信号到达我方至通知被渠道接受，最近一小时的分位数；无火警则无数据。目标：1 秒内。"
        " From a fire signal's arrival to a notice accepted by its channel, quantiles of the last hour; no fire, "
        "no data. Aim: within a second."
    )
    buckets = "le:firenet_alerts_fire_latency_seconds_bucket:increase1h"
    board.with_panel(
        lines(
            Words("火警通知用时", "Fire notice latency", text, SECONDS),
            Q(f"histogram_quantile(0.5, {buckets})", "p50"),
            Q(f"histogram_quantile(0.99, {buckets})", "p99"),
        )
    )
    text = "阶梯步骤按种类与级别。 Ladder steps taken per second, by kind and step."
    board.with_panel(
        lines(
            Words("升级步骤", "Ladder steps", text, PER_SECOND),
            Q("sum by (kind, step) (rate(firenet_alerts_steps_total[$__rate_interval]))", "{{kind}} {{step}}"),
        )
    )


def _visibility(board: Dashboard) -> None:
    board.with_row(Row("我方是否看得见 · Do we see"))
    text = "失明的分区数：其单位显示为未知。 Blind partitions: their units are shown as unknown."
    board.with_panel(
        states(
            Words("失明分区", "Blind partitions", text, COUNT),
            Q('sum(firenet_rules_visibility{visibility="blind"})', "blind"),
            meaning=SEEN,
        )
    )
    text = "视野受损的分区数：有采集进程失声。 Partitions with impaired visibility: a process of ingest is silent."
    board.with_panel(
        states(
            Words("受损分区", "Impaired partitions", text, COUNT),
            Q('sum(firenet_rules_visibility{visibility="impaired"})', "impaired"),
            meaning=SEEN,
        )
    )
    text = (
        "最近一次证明“全部收到”距今多久；超过 15 秒告警。"
        " How old the newest proof is that nothing is missing; above 15 s our own alert rings."
    )
    board.with_panel(
        figures(
            Words("视野证明之龄", "Age of the proof", text, SECONDS),
            Q("firenet:firenet_ingest_proof_age:seconds", "proof"),
            decimals=1,
        )
    )
    text = (
        "对我方自身的告警，处置见 deploy/RUNBOOK.md。心跳告警除外。"
        " Alerts on ourselves that fire now, but for the heartbeat; what to do stands in deploy/RUNBOOK.md."
    )
    board.with_panel(
        states(
            Words("我方告警数", "Alerts on ourselves", text, COUNT),
            Q('count(ALERTS{alertstate="firing",alertname!="FireNetWatchdog"}) or vector(0)', "firing"),
            meaning=[State("0", "无 none", "green")],
        )
    )


def _own_alerts(board: Dashboard) -> None:
    text = "此刻触发的自身告警。 Which alerts on ourselves fire now."
    firing = 'ALERTS{alertstate="firing",alertname!="FireNetWatchdog"}'
    columns = {"alertname": "告警 alert", "severity": "级别 severity", "instance": "实例 instance", "lane": "通道 lane"}
    board.with_panel(
        rows(
            Words("我方告警清单", "Alerts on ourselves, by name", text, COUNT),
            Q(f"sum by (alertname, severity, instance, lane) ({firing})", ""),
            columns=columns,
            hidden=("Value",),
        )
    )
