"""The second dashboard: how our own pipeline does. Rate, errors and duration of each step, in the order of the flow."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.panels import (
    BYTES,
    COUNT,
    PER_SECOND,
    PERCENT,
    SECONDS,
    Q,
    State,
    Words,
    dashboard,
    figures,
    lines,
    states,
)

UID = "firenet-pipeline"
ANSWERS = [State("0", "无响应 DOWN", "red"), State("1", "正常 up", "green")]
LINKED = [State("0", "断开 NOT CONNECTED", "red"), State("1", "已连接 connected", "green")]
EACH = "[$__rate_interval]"
WRITES = ' unless on (job, instance) (firenet_archive_waiting{reason="held"} > 0)'
"""Of several processes one writes the archive; what another was behind when it last did is over."""


def build() -> Dashboard:
    text = "我方链路：流量、错误与用时。 Rate, errors and duration of ingest, rules, alerts, compliance and console."
    board = dashboard(
        UID, "消防联网：我方链路 · FireNet: our pipeline", text, other="其他看板 · other dashboards", department=False
    )
    ingest = (_ingest, _ingest_durations, _ingest_trouble)
    for part in (
        _processes,
        *ingest,
        _consumers,
        _visibility,
        _rules,
        _results,
        _alerts,
        _promises,
        _archive,
        _console,
    ):
        part(board)
    return board


def quantiles(name: str, label: str = "") -> tuple[Q, Q]:
    """Return the median and the 99th percentile of a histogram, by `label` when given."""
    by = f"le, {label}" if label else "le"
    of = f"sum by ({by}) (rate({name}_bucket{EACH}))"
    word = f"{{{{{label}}}}} " if label else ""
    return Q(f"histogram_quantile(0.5, {of})", f"{word}p50"), Q(f"histogram_quantile(0.99, {of})", f"{word}p99")


def _processes(board: Dashboard) -> None:
    board.with_row(Row("进程 · Processes"))
    text = "各服务是否响应抓取。 Whether each service answers Prometheus."
    services = 'up{job=~"ingest|rules|alerts|alerts-fire|documents|compliance|registry|console"}'
    board.with_panel(
        states(Words("服务", "Services", text, COUNT), Q(services, "{{job}} {{instance}}"), meaning=ANSWERS, width=12)
    )
    text = "各采集进程与消息代理的连接，两条通道各一。 Connections of ingest to the broker, one per lane."
    board.with_panel(
        states(
            Words("消息代理连接", "MQTT connections", text, COUNT),
            Q("firenet_ingest_mqtt_connected", "{{lane}} {{instance}}"),
            meaning=LINKED,
            width=12,
        )
    )
    text = "占用的处理器核数。 Cores in use."
    board.with_panel(
        lines(
            Words("处理器", "Processor", text, COUNT),
            Q(f"rate(process_cpu_seconds_total{EACH})", "{{job}} {{instance}}"),
            width=8,
        )
    )
    text = "常驻内存。 Resident memory."
    board.with_panel(
        lines(Words("内存", "Memory", text, BYTES), Q("process_resident_memory_bytes", "{{job}} {{instance}}"), width=8)
    )
    text = "已用文件句柄占上限的比例；超过 80 % 告警。 Open files against the limit; above 80 % an alert rings."
    board.with_panel(
        lines(
            Words("文件句柄", "Open files", text, PERCENT),
            Q("process_open_fds / process_max_fds", "{{job}} {{instance}}"),
            width=8,
            most=1,
        )
    )


def _consumers(board: Dashboard) -> None:
    board.with_row(Row("消费组 · Consumers of Kafka"))
    text = "各消费组在各主题上尚未处理的记录数。 Records that each group has not worked off, by topic."
    board.with_panel(
        lines(
            Words("积压记录", "Records behind", text, COUNT),
            Q("sum by (group, topic) (firenet_consumer_lag_records)", "{{group}}"),
            width=8,
        )
    )
    text = "各消费组获得分区的次数。 Times that members of a group were given partitions."
    board.with_panel(
        lines(
            Words("分区重新分配", "Rebalances", text, COUNT),
            Q(f"sum by (group) (increase(firenet_consumer_rebalances_total{EACH}))", "{{group}}"),
            width=8,
        )
    )
    text = "副本不足的主题数，按原因；正常为 0。 Topics that are kept less safely than they were set to be; 0 is right."
    board.with_panel(
        lines(
            Words("副本不足的主题", "Topics that fall short", text, COUNT),
            Q("max by (shortcoming) (firenet_registry_topics_short)", "{{shortcoming}}"),
            width=8,
        )
    )


def _ingest(board: Dashboard) -> None:
    board.with_row(Row("采集 · Ingest"))
    text = "每秒收到与存入的报文，按通道。 Messages received and stored per second, by lane."
    board.with_panel(
        lines(
            Words("收到与存入", "Received and stored", text, PER_SECOND),
            Q(f"sum by (lane) (rate(firenet_ingest_received_total{EACH}))", "{{lane}} 收到 received"),
            Q(f"sum by (lane) (rate(firenet_ingest_stored_total{EACH}))", "{{lane}} 存入 stored"),
        )
    )
    text = "每秒拒收的报文，按原因。 Messages refused per second, by reason."
    board.with_panel(
        lines(
            Words("拒收", "Refused", text, PER_SECOND),
            Q(f"sum by (reason) (rate(firenet_ingest_refused_total{EACH})) > 0", "{{reason}}"),
        )
    )
    text = "每秒存入的信号，按种类。 Signals stored per second, by kind."
    board.with_panel(
        lines(
            Words("信号", "Signals", text, PER_SECOND),
            Q(f"sum by (kind) (rate(firenet_ingest_signals_total{EACH})) > 0", "{{kind}}"),
        )
    )
    text = "带标记存入的信号与网关跳号。 Signals stored with an anomaly, and numbers that gateways skipped."
    board.with_panel(
        lines(
            Words("异常标记", "Oddities", text, PER_SECOND),
            Q(f"sum by (flag) (rate(firenet_ingest_flagged_total{EACH})) > 0", "{{flag}}"),
            Q(f"sum(rate(firenet_ingest_sequence_missing_total{EACH}))", "跳号 numbers skipped"),
            Q(f"sum(rate(firenet_ingest_sequence_found_total{EACH}))", "补到 taken back"),
            Q(f"sum(rate(firenet_ingest_device_texts_total{EACH}))", "模块文本 module texts"),
            Q(f"sum(rate(firenet_rules_line_drops_total{EACH}))", "断线 lines dropped"),
        )
    )


def _ingest_durations(board: Dashboard) -> None:
    text = "一批写入 Kafka 的用时。 From handing a batch to Kafka to its confirmation."
    board.with_panel(
        lines(
            Words("写入 Kafka 用时", "Kafka batch", text, SECONDS),
            *quantiles("firenet_ingest_kafka_batch_seconds", "lane"),
            width=8,
        )
    )
    text = (
        "确认时一批中最老报文之龄；目标：99.9 % 在 1 秒内。"
        " Age of a batch's oldest message when acknowledged; aim: 99.9 % within 1 s."
    )
    board.with_panel(
        lines(
            Words("确认延迟", "Acknowledge lag", text, SECONDS),
            *quantiles("firenet_ingest_ack_lag_seconds", "lane"),
            width=8,
        )
    )
    text = "超过 1 秒的批次比例；目标 0.1 %。 Share of batches slower than 1 s; the objective allows 0.1 %."
    slow = "firenet:firenet_ingest_ack_lag_seconds:slow_ratio_rate"
    board.with_panel(
        lines(
            Words("慢批比例", "Slow batches", text, PERCENT), *(Q(f"{slow}{w}", w) for w in ("5m", "1h", "6h")), width=8
        )
    )


def _ingest_trouble(board: Dashboard) -> None:
    text = "已收未入 Kafka 的报文。 Received, not in Kafka yet."
    board.with_panel(
        lines(
            Words("在途", "In flight", text, COUNT), Q("sum by (lane) (firenet_ingest_in_flight)", "{{lane}}"), width=8
        )
    )
    text = "重发的批次、未确认的时标、丢失的会话。 Batches sent again, ticks not confirmed, sessions lost."
    board.with_panel(
        lines(
            Words("采集故障", "Failures", text, PER_SECOND),
            Q(f"sum(rate(firenet_ingest_kafka_retries_total{EACH}))", "批次重发 batches again"),
            Q(f"sum(rate(firenet_ingest_ticks_failed_total{EACH}))", "时标未确认 ticks failed"),
            Q(f"sum by (lane) (rate(firenet_ingest_mqtt_session_lost_total{EACH}))", "{{lane}} 会话丢失 session lost"),
            width=8,
        )
    )
    text = "名录中的网关数。 Gateways in the directory of ingest."
    board.with_panel(
        figures(
            Words("网关名录", "Gateways known", text, COUNT), Q("max(firenet_ingest_gateways)", "gateways"), width=8
        )
    )


def _visibility(board: Dashboard) -> None:
    board.with_row(Row("视野 · Visibility"))
    text = "最近一次证明距今多久。 How old the newest proof of ingest is; above 15 s we are blind."
    board.with_panel(
        lines(
            Words("证明之龄", "Age of the proof", text, SECONDS),
            Q("firenet:firenet_ingest_proof_age:seconds", "全部 newest"),
            Q("time() - firenet_ingest_proven_until_timestamp_seconds", "{{instance}}"),
            width=8,
        )
    )
    text = "各分区水位落后多久。 How far each partition's watermark is behind now."
    board.with_panel(
        lines(
            Words("水位落后", "Watermark lag", text, SECONDS),
            Q("max by (partition) (firenet_rules_watermark_lag_seconds)", "分区 partition {{partition}}"),
            width=8,
        )
    )
    text = "分区数按视野。 Partitions by visibility; all must be clear."
    board.with_panel(
        lines(
            Words("分区视野", "Partitions by visibility", text, COUNT),
            Q("sum by (visibility) (firenet_rules_visibility)", "{{visibility}}"),
            width=8,
            stacked=True,
        )
    )


def _rules(board: Dashboard) -> None:
    board.with_row(Row("规则 · Rules"))
    text = "每秒处理的记录，按种类。 Records handled per second, by kind."
    board.with_panel(
        lines(
            Words("处理记录", "Records", text, PER_SECOND),
            Q(f"sum by (kind) (rate(firenet_rules_records_total{EACH})) > 0", "{{kind}}"),
            width=8,
        )
    )
    text = "被拒记录、异常输入、对数据库与 Kafka 的等待。 Records refused, odd inputs, waits for database and Kafka."
    board.with_panel(
        lines(
            Words("规则异常", "Errors", text, PER_SECOND),
            Q(f"sum by (reason) (rate(firenet_rules_refused_total{EACH})) > 0", "拒 refused {{reason}}"),
            Q(f"sum by (reason) (rate(firenet_rules_anomalies_total{EACH})) > 0", "异常 odd {{reason}}"),
            Q(f"sum by (dependency) (rate(firenet_rules_retries_total{EACH})) > 0", "等待 waits for {{dependency}}"),
            width=8,
        )
    )
    text = "一次检查点写库的用时。 Time of one checkpoint in the database."
    board.with_panel(
        lines(Words("检查点用时", "Checkpoint", text, SECONDS), *quantiles("firenet_rules_checkpoint_seconds"), width=8)
    )


def _results(board: Dashboard) -> None:
    text = "每秒状态变化，按方面。 State changes saved per second, by aspect."
    board.with_panel(
        lines(
            Words("状态变化", "Transitions", text, PER_SECOND),
            Q(f"sum by (aspect) (rate(firenet_rules_transitions_total{EACH}))", "{{aspect}}"),
            width=8,
        )
    )
    text = "发现：存入与发布应相等。 Findings saved and published: both must be equal."
    board.with_panel(
        lines(
            Words("发现", "Findings", text, PER_SECOND),
            Q(f"sum(rate(firenet_rules_findings_total{EACH}))", "存入 saved"),
            Q(f"sum(rate(firenet_rules_findings_published_total{EACH}))", "发布 published"),
            width=8,
        )
    )
    text = "各进程拥有的分区与保存的状态字节。 Partitions owned; all twelve must have an owner."
    board.with_panel(
        lines(
            Words("分区归属", "Partitions owned", text, COUNT),
            Q("sum by (instance) (firenet_rules_partitions)", "{{instance}}"),
            width=8,
            stacked=True,
        )
    )


def _alerts(board: Dashboard) -> None:
    board.with_row(Row("告警 · Alerts"))
    text = "每秒取入的发现与火警，按决定。 Findings and fire signals taken in per second, by what was decided."
    board.with_panel(
        lines(
            Words("取入", "Events", text, PER_SECOND),
            Q(f"sum by (kind, action) (rate(firenet_alerts_events_total{EACH})) > 0", "{{kind}} {{action}}"),
            width=8,
        )
    )
    text = "每秒投递，按渠道与结果。 Delivery attempts per second, by channel and outcome."
    board.with_panel(
        lines(
            Words("投递", "Attempts", text, PER_SECOND),
            Q(f"sum by (channel, fate) (rate(firenet_alerts_attempts_total{EACH}))", "{{channel}} {{fate}}"),
            width=8,
        )
    )
    text = "文书：制发、拒绝，及未等到文书而先发的通知。 Documents issued, refused; notices without theirs."
    board.with_panel(
        lines(
            Words("文书", "Documents", text, PER_SECOND),
            Q(f"sum by (instrument) (rate(firenet_documents_issued_total{EACH}))", "制发 issued {{instrument}}"),
            Q(f"sum by (reason) (rate(firenet_documents_refused_total{EACH})) > 0", "拒 refused {{reason}}"),
            Q(f"sum by (reason) (rate(firenet_documents_without_files_total{EACH})) > 0", "无文件 no file {{reason}}"),
            Q(f"sum(rate(firenet_alerts_notices_without_document_total{EACH}))", "未等到 without document"),
            width=8,
        )
    )
    text = "未成功的投递，按原因。 Attempts that failed, by reason."
    failed = f'sum by (channel, reason) (rate(firenet_alerts_attempts_total{{fate!="accepted"}}{EACH})) > 0'
    board.with_panel(
        lines(Words("投递失败", "Failed attempts", text, PER_SECOND), Q(failed, "{{channel}} {{reason}}"), width=8)
    )


def _promises(board: Dashboard) -> None:
    text = "待发通知，按渠道与原因。 Notices in the outbox, by channel and reason."
    board.with_panel(
        lines(
            Words("待发通知", "Notices waiting", text, COUNT),
            Q("channel_reason:firenet_alerts_notices_waiting:max", "{{channel}} {{reason}}"),
            width=8,
            stacked=True,
        )
    )
    text = "最久的到期步骤之龄；应为 0。 Age of the oldest ladder step that is due; 0 when all is well."
    board.with_panel(
        lines(
            Words("到期步骤之龄", "Oldest step due", text, SECONDS),
            Q("max(firenet_alerts_oldest_due_step_age_seconds)", "步骤 step"),
            width=8,
        )
    )
    text = "各任务每秒轮次：停摆即无进展。 Turns of each task per second: none means no progress."
    board.with_panel(
        lines(
            Words("任务轮次", "Turns", text, PER_SECOND),
            Q(f"sum by (task) (rate(firenet_alerts_turns_total{EACH}))", "{{task}}"),
            width=8,
        )
    )
    text = (
        "审计违约的案件、无人可告的步骤、未入链的审计条目、被拒记录：都应为 0。"
        " All must be 0: cases without a next step, steps with nobody to tell, unsealed entries, rejected records."
    )
    board.with_panel(
        figures(
            Words("承诺", "Promises", text, COUNT),
            Q("max by (why) (firenet_alerts_escalation_violations)", "违约 {{why}}"),
            Q("sum(firenet_alerts_steps_without_contact_total) or vector(0)", "无人可告 nobody told"),
            Q("max(firenet_alerts_audit_unsealed)", "未入链 unsealed"),
            Q("sum(firenet_alerts_rejected_total)", "被拒 rejected"),
            width=16,
        )
    )
    text = (
        "最近一次自检报警是否送达、用时、距今多久。"
        " Whether the last synthetic alarm arrived, how long the last that did took, and how long ago that was."
    )
    board.with_panel(
        states(
            Words("自检报警", "Synthetic alarm", text, COUNT),
            Q("max(firenet_alerts_synthetic_failing)", "last"),
            meaning=[State("0", "送达 arrived", "green"), State("1", "未送达 LOST", "red")],
            width=8,
        )
    )
    board.with_panel(
        figures(
            Words("自检报警用时", "Synthetic alarm, duration", text, SECONDS),
            Q("max(firenet_alerts_synthetic_duration_seconds)", "用时 took"),
            width=8,
        )
    )
    board.with_panel(
        figures(
            Words("自检报警距今", "Synthetic alarm, age", text, SECONDS),
            Q("time() - (max(firenet_alerts_synthetic_last_success_timestamp_seconds) > 0)", "距今 ago"),
            width=8,
        )
    )
    text = "政策包是否过期。 Whether the policy pack is past its last day."
    board.with_panel(
        states(
            Words("政策包", "Policy pack", text, COUNT),
            Q("max(firenet_alerts_pack_expired)", "pack"),
            meaning=[State("0", "有效 valid", "green"), State("1", "已过期 EXPIRED", "red")],
            width=8,
        )
    )


def _archive(board: Dashboard) -> None:
    board.with_row(Row("日志归档 · Archive of the log"))
    text = "每秒归档的记录，按主题。 Records archived per second, by topic."
    board.with_panel(
        lines(
            Words("归档", "Archived", text, PER_SECOND),
            Q(f"sum by (topic) (rate(firenet_archive_records_total{EACH}))", "{{topic}}"),
            width=8,
        )
    )
    text = "尚未读到的记录、归档在等待什么。 Records not read yet, and what archiving waits for."
    board.with_panel(
        lines(
            Words("归档落后", "Archive behind", text, COUNT),
            Q(f"sum by (topic) (firenet_archive_behind_records{WRITES})", "{{topic}}"),
            Q("sum by (reason) (firenet_archive_waiting) > 0", "等待 waits: {{reason}}"),
            width=8,
        )
    )
    text = "归档所在磁盘的剩余空间。 Room left on the disk of the archive."
    board.with_panel(
        lines(Words("归档空间", "Archive room", text, BYTES), Q("firenet_archive_free_bytes", "{{instance}}"), width=8)
    )


def _console(board: Dashboard) -> None:
    board.with_row(Row("页面 · Console"))
    text = "每秒请求，按结果。 HTTP requests per second, by outcome."
    board.with_panel(
        lines(
            Words("请求", "Requests", text, PER_SECOND),
            Q(f"sum by (outcome) (rate(firenet_console_requests_total{EACH}))", "{{outcome}}"),
            width=8,
        )
    )
    text = "读取一个部门切片的用时。 Reading one slice from the database and encoding it."
    board.with_panel(
        lines(Words("读取用时", "Snapshot", text, SECONDS), *quantiles("firenet_console_snapshot_seconds"), width=8)
    )
    text = "打开的实时页面。 Live pages that are open."
    board.with_panel(
        lines(
            Words("实时页面", "Streams", text, COUNT),
            Q("sum by (instance) (firenet_console_streams_open)", "{{instance}}"),
            width=8,
        )
    )
    text = "读库失败、拒绝的页面、未送达的确认。 Failed reads, refused streams, acknowledgements that did not arrive."
    board.with_panel(
        lines(
            Words("页面故障", "Failures", text, PER_SECOND),
            Q(f"sum(rate(firenet_console_read_failures_total{EACH}))", "读库失败 reads"),
            Q(f"sum(rate(firenet_console_streams_refused_total{EACH}))", "拒绝页面 streams refused"),
            Q(
                f'sum(rate(firenet_console_acknowledgements_total{{outcome="alerts_unavailable"}}{EACH}))',
                "确认未达 acknowledgements",
            ),
            width=12,
        )
    )
    text = "登录尝试，按结果。 Attempts to sign in, by outcome."
    board.with_panel(
        lines(
            Words("登录", "Sign-ins", text, PER_SECOND),
            Q(f"sum by (outcome) (rate(firenet_console_logins_total{EACH}))", "{{outcome}}"),
            width=12,
        )
    )
