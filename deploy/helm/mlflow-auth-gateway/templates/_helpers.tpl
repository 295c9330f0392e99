{{- define "gateway.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "gateway.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "gateway.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "gateway.name" .) }}
{{- end }}

{{- define "gateway.policyConfigMap" -}}
{{- if .Values.policy.existingConfigMap -}}
{{ .Values.policy.existingConfigMap }}
{{- else if .Values.policy.document -}}
{{ include "gateway.name" . }}-policy
{{- end -}}
{{- end }}

{{- /* The most replicas there can be. */ -}}
{{- define "gateway.mostReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end }}

{{- /* "true" if the store is a file in the pod. */ -}}
{{- define "gateway.onSqlite" -}}
{{- if not (hasKey .Values.secrets "DATABASE_URL") }}true{{ end -}}
{{- end }}

{{- /* What a schema cannot see: things that fit together only in a certain way. */ -}}
{{- define "gateway.check" -}}
{{- $config := .Values.config -}}
{{- if not $config.PUBLIC_URL }}{{ fail "Set config.PUBLIC_URL to the https URL that people and scripts use" }}{{ end -}}
{{- if not $config.UPSTREAM_URL }}{{ fail "Set config.UPSTREAM_URL to the Service of MLflow, such as http://mlflow:5000" }}{{ end -}}
{{- if not (hasKey .Values.secrets "GATEWAY_SECRET") }}
{{- fail "Set secrets.GATEWAY_SECRET to the name and key of a Secret with the output of: openssl rand -base64 48" }}
{{- end -}}
{{- if include "gateway.onSqlite" . }}
{{- if gt (int (include "gateway.mostReplicas" .)) 1 }}
{{- fail "More than one replica needs PostgreSQL: a SQLite file belongs to one pod. Set secrets.DATABASE_URL to the name and key of a Secret with a postgres:// URL, or set replicas to 1 and switch autoscaling off" }}
{{- end }}
{{- if not .Values.persistence.enabled }}
{{- fail "The store is a SQLite file that would be lost with the pod. Set persistence.enabled, or secrets.DATABASE_URL for PostgreSQL" }}
{{- end }}
{{- else }}
{{- if hasKey $config "DATABASE_URL" }}{{ fail "Set config.DATABASE_URL (SQLite) or secrets.DATABASE_URL (PostgreSQL), not both" }}{{ end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.database.to) }}
{{- fail "The network policy would cut the gateway off from PostgreSQL. Set networkPolicy.database.to to where it is" }}
{{- end }}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.mlflow.podLabels) }}
{{- fail "Set mlflow.podLabels to labels that only the pods of MLflow have: the network policy closes those to all but the gateway. With networkPolicy.enabled=false something else must keep others from MLflow" }}
{{- end -}}
{{- if and .Values.policy.document .Values.policy.existingConfigMap }}{{ fail "Set policy.document or policy.existingConfigMap, not both" }}{{ end -}}
{{- if and (include "gateway.policyConfigMap" .) (hasKey $config "POLICY_FILE") }}{{ fail "config.POLICY_FILE is set by policy; leave it out" }}{{ end -}}
{{- if and (or .Values.serviceMonitor.enabled .Values.prometheusRule.enabled) (not (hasKey $config "METRICS_PORT")) }}
{{- fail "Set config.METRICS_PORT: without it the gateway serves no metrics" }}
{{- end -}}
{{- if and (eq ($config.TLS_CLIENT_CERTS | default "off") "require") (not (hasKey $config "METRICS_PORT")) }}
{{- fail "Set config.METRICS_PORT: with TLS_CLIENT_CERTS=require it is the only port at which Kubernetes, having no certificate, can ask whether the gateway is well" }}
{{- end -}}
{{- end }}
