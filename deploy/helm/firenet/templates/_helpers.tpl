{{/* Labels of one component: (dict "root" $ "component" "rules") */}}
{{- define "firenet.labels" -}}
{{ include "firenet.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "firenet.selector" -}}
app.kubernetes.io/name: firenet
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "firenet.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "firenet.kafka" -}}
{{- if .Values.kafka.bootstrap }}{{ .Values.kafka.bootstrap }}
{{- else if .Values.kafka.cluster.enabled }}{{ .Values.kafka.cluster.name }}-kafka-bootstrap:9092
{{- else }}{{ fail "kafka.bootstrap is needed where kafka.cluster is not enabled" }}{{ end }}
{{- end }}

{{- define "firenet.databaseHost" -}}
{{- if .Values.database.host }}{{ .Values.database.host }}
{{- else if .Values.database.cluster.enabled }}{{ .Values.database.cluster.name }}-rw
{{- else }}{{ fail "database.host is needed where database.cluster is not enabled" }}{{ end }}
{{- end }}

{{- define "firenet.databaseSecret" -}}
{{- if .Values.database.passwordSecret }}{{ .Values.database.passwordSecret }}
{{- else if .Values.database.cluster.enabled }}{{ .Values.database.cluster.name }}-app
{{- else }}{{ fail "database.passwordSecret is needed where database.cluster is not enabled" }}{{ end }}
{{- end }}

{{/* Settings that every process of ours has. The password is a file: libpq gets it from the image's entrypoint. */}}
{{- define "firenet.env" -}}
FIRENET_KAFKA_BOOTSTRAP: {{ include "firenet.kafka" . }}
FIRENET_DATABASE_DSN: postgresql://{{ .Values.database.user }}@{{ include "firenet.databaseHost" . }}:{{ .Values.database.port }}/{{ .Values.database.name }}
PGPASSWORD_FILE: /run/database/password
FIRENET_LOG_LEVEL: {{ .Values.logLevel }}
FIRENET_KEEP_DAYS: {{ .Values.keepDays | quote }}
FIRENET_HTTP_HOST: 0.0.0.0
REGISTRY_REPLICATION: {{ .Values.kafka.replication | quote }}
REGISTRY_SIGNALS_DAYS: {{ .Values.kafka.signalsDays | quote }}
{{- end }}

{{/* A mapping as the list that a container wants, sorted, so that a change of one value is one line of difference. */}}
{{- define "firenet.envList" -}}
{{- range $name := keys . | sortAlpha }}
{{- $value := get $ $name }}
- name: {{ $name }}
  {{- /* a number of a values file is a float: 134217728, not 1.34217728e+08 */}}
  value: {{ ternary (printf "%.0f" ($value | float64)) (toString $value) (and (kindIs "float64" $value) (eq (floor $value) $value)) | quote }}
{{- end }}
{{- end }}

{{- define "firenet.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "firenet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "firenet.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The database's password, and of the Secret only the keys named: (dict "root" $ "keys" (list "alerts_token")) */}}
{{- define "firenet.secretVolumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
- name: database
  secret:
    secretName: {{ include "firenet.databaseSecret" .root }}
    defaultMode: 0440
    items:
      - {key: {{ .root.Values.database.passwordKey }}, path: password}
{{- with .keys }}
- name: secrets
  secret:
    secretName: {{ $.root.Values.secretName }}
    defaultMode: 0440
    items:
{{- range . }}
      - {key: {{ . }}, path: {{ . }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "firenet.secretMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: database, mountPath: /run/database, readOnly: true}
{{- if .keys }}
- {name: secrets, mountPath: /run/secrets, readOnly: true}
{{- end }}
{{- end }}

{{/*
Waits until the Job `prepare` has made topics and tables: (dict "root" $ "component" "rules"). What tells of fires without a
database does not wait for one that is away.
*/}}
{{- define "firenet.prepared" -}}
{{- $arguments := list "python" "-m" "services.runtime.migrate" "--wait" }}
{{- if eq .component "alerts-fire" }}{{ $arguments = concat $arguments (list "--unanswered" "3") }}{{ end }}
- name: prepared
  image: {{ include "firenet.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: {{ $arguments | toJson }}
  env: {{- include "firenet.envList" (set (include "firenet.env" .root | fromYaml) "PGCONNECT_TIMEOUT" "5") | nindent 4 }}
  securityContext: {{- include "firenet.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {memory: 128Mi}
  volumeMounts: {{- include "firenet.secretMounts" (dict "keys" nil) | nindent 4 }}
{{- end }}

{{/*
What differs from service to service, and what each may reach: module, lane, status port, keys of the Secret, environment.
An operator sizes, and sets more in `env`; names, lanes and ports are ours: values.schema.json refuses them there.
*/}}
{{- define "firenet.shape" -}}
{{- $mqtt := printf "%s-mqtt-services" .Release.Name -}}
ingest:
  port: 9101
  keys: [mqtt_ingest, ca.crt]
  reaches: [mqtt]
  env:
    INGEST_HTTP_PORT: 9101
    INGEST_MQTT_HOST: {{ $mqtt }}
    INGEST_MQTT_PORT: 8885
    INGEST_MQTT_USERNAME: ingest
    INGEST_MQTT_PASSWORD_FILE: /run/secrets/mqtt_ingest
    INGEST_MQTT_TLS_CA: /run/secrets/ca.crt
    INGEST_TCP_PORT: {{ .Values.gb26875.tcpPort }}
    INGEST_UDP_PORT: {{ .Values.gb26875.udpPort }}
rules:
  port: 9102
  env:
    RULES_HTTP_PORT: 9102
alerts: &alerts
  port: 9103
  asked: true
  keys: [alerts_token, link_key, mqtt_alerts, ca.crt]
  channels: true
  reaches: [mqtt, world]
  env: &alerts-env
    ALERTS_LANE: ordinary
    ALERTS_HTTP_PORT: 9103
    ALERTS_API_TOKEN_FILE: /run/secrets/alerts_token
    ALERTS_LINK_KEY_FILE: /run/secrets/link_key
    ALERTS_SECRETS_DIR: /run/channels
    ALERTS_SYNTHETIC_MQTT_HOST: {{ $mqtt }}
    ALERTS_SYNTHETIC_MQTT_PORT: 8885
    ALERTS_SYNTHETIC_MQTT_USERNAME: alerts
    ALERTS_SYNTHETIC_MQTT_PASSWORD_FILE: /run/secrets/mqtt_alerts
    ALERTS_SYNTHETIC_MQTT_TLS_CA: /run/secrets/ca.crt
    ALERTS_DELIVERY_REPORT_PORT: {{ .Values.deliveryReports.port }}
    {{- if .Values.ingress.enabled }}
    ALERTS_CONSOLE_URL: https://{{ .Values.ingress.host }}
    {{- end }}
alerts-fire:
  <<: *alerts
  module: alerts
  asked: false
  env:
    <<: *alerts-env
    ALERTS_LANE: fire
    ALERTS_DELIVERY_REPORT_PORT: 0
documents:
  port: 9106
  asked: true
  keys: [documents_token, link_key]
  channels: true
  reaches: [world]
  env:
    DOCUMENTS_HTTP_PORT: 9106
    DOCUMENTS_API_TOKEN_FILE: /run/secrets/documents_token
    DOCUMENTS_LINK_KEYS_FILE: /run/secrets/link_key
compliance:
  port: 9107
  env:
    COMPLIANCE_HTTP_PORT: 9107
    COMPLIANCE_ARCHIVE_ROOT: /run/archive
registry:
  port: 9108
  asked: true
  arguments: [serve]
  keys: [registry_token]
  env:
    REGISTRY_HTTP_PORT: 9108
    REGISTRY_API_TOKEN_FILE: /run/secrets/registry_token
console:
  port: 9104
  page: 8080
  keys: [alerts_token, documents_token, registry_token, second_factor_key]
  channels: true
  reaches: [services, mqtt{{ if or .Values.services.console.env.CONSOLE_OIDC_ISSUER .Values.services.console.env.CONSOLE_SMTP_HOST }}, world{{ end }}]
  env:
    CONSOLE_HTTP_PORT: 8080
    CONSOLE_STATUS_PORT: 9104
    CONSOLE_ALERTS_URL: http://{{ .Release.Name }}-alerts:9103
    CONSOLE_ALERTS_TOKEN_FILE: /run/secrets/alerts_token
    CONSOLE_DOCUMENTS_URL: http://{{ .Release.Name }}-documents:9106
    CONSOLE_DOCUMENTS_TOKEN_FILE: /run/secrets/documents_token
    CONSOLE_REGISTRY_URL: http://{{ .Release.Name }}-registry:9108
    CONSOLE_REGISTRY_TOKEN_FILE: /run/secrets/registry_token
    CONSOLE_SECOND_FACTOR_KEYS_FILE: /run/secrets/second_factor_key
    {{- if .Values.ingress.enabled }}
    CONSOLE_OIDC_CONSOLE_URL: https://{{ .Values.ingress.host }}
    CONSOLE_MAIL_CONSOLE_URL: https://{{ .Values.ingress.host }}
    {{- end }}
    CONSOLE_HEALTH_SERVICES: >-
      {{ range $i, $at := list "ingest:9101" "rules:9102" "alerts:9103" "alerts-fire:9103" "documents:9106" "compliance:9107" "registry:9108" "console:9104" -}}
      {{ if $i }},{{ end }}{{ splitList ":" $at | first }}={{ $.Release.Name }}-{{ splitList ":" $at | first }}-each:{{ splitList ":" $at | last }}{{ end }}
    CONSOLE_HEALTH_BROKER: {{ .Release.Name }}-mqtt:8883
    CONSOLE_HTTPS: {{ .Values.ingress.enabled }}
    CONSOLE_BEHIND_PROXY: {{ .Values.ingress.enabled }}
{{- end }}
