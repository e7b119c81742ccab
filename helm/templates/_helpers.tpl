{{/* Name of this release's objects, which ends in the name of a part. */}}
{{- define "spai.name" -}}
{{- if contains "spai" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-spai{{ end -}}
{{- end }}

{{/* Labels that choose the pods of one part, and all labels of an object; call with root and part. */}}
{{- define "spai.selector" -}}
{app.kubernetes.io/name: spai, app.kubernetes.io/instance: {{ .root.Release.Name }}, app.kubernetes.io/component: {{ .part }}}
{{- end }}

{{- define "spai.labels" -}}
{{- $own := dict "app.kubernetes.io/version" .root.Values.image.tag "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (printf "spai-%s" .root.Chart.Version) }}
{{- merge (include "spai.selector" . | fromYaml) $own (.more | default dict) | toJson }}
{{- end }}

{{- define "spai.image" -}}
{{ with .root.Values.image }}{{ with .registry }}{{ . }}/{{ end }}{{ $.image }}:{{ .tag }}{{ end }}
{{- end }}

{{- define "spai.secret" -}}
{{ .Values.secrets.name | default (include "spai.name" .) }}
{{- end }}

{{/* Address of the tracking server, empty for none. */}}
{{- define "spai.mlflow" -}}
{{- if .Values.mlflow.enabled }}http://{{ include "spai.name" . }}-mlflow:5000{{ else }}{{ .Values.mlflow.address }}{{ end -}}
{{- end }}

{{/* Secret variables of a process, a reference each; those of `required` must be there. Call with root, required and
optional, lists of names with an = before the key where it differs. */}}
{{- define "spai.references" -}}
{{- range $kind := list "required" "optional" }}
{{- range get $ $kind | default list }}
{{- $name := splitList "=" . }}
- {name: {{ first $name }}, valueFrom: {secretKeyRef: {name: {{ include "spai.secret" $.root }}, key: {{ last $name }}{{ if eq $kind "optional" }}, optional: true{{ end }}}}}
{{- end }}
{{- end }}
{{- end }}

{{/* Variables of every process of the site's code; those in env, and secrets, differ by part. Call with root, part, env
and optionally secrets, databaseKey. */}}
{{- define "spai.environment" -}}
{{- $v := .root.Values }}
{{- $name := include "spai.name" .root -}}
- {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
{{- $common := dict
  "SPAI_ENV_FILE" ""
  "LOG_FORMAT" "json"
  "ALLOWED_HOSTS" (printf "%s,%s,%s,localhost,$(POD_IP),[$(POD_IP)]" $v.hosts.web $v.hosts.admin $v.hosts.push)
  "SPAI_WEB_URL" (printf "https://%s" $v.hosts.web)
  "SPAI_ADMIN_URL" (printf "https://%s" $v.hosts.admin)
  "SPAI_PUSH_URL" (printf "https://%s" $v.hosts.push)
  "SPAI_PROXIES" $v.ingress.proxies
  "SPAI_SNAPSHOTS" $v.storage.snapshots
  "SPAI_DVC_REMOTE" $v.storage.dvcRemote
  "SPAI_SANDBOX" $v.sandbox.enabled
}}
{{- with $v.storage.endpoint }}{{ $_ := set $common "SPAI_S3_ENDPOINT" . }}{{ end }}
{{- if $v.sandbox.enabled }}{{ $_ := set $common "SPAI_SANDBOX_URL" (printf "http://%s-sandbox:8003" $name) }}{{ end }}
{{- range $key, $value := $v.env }}
{{- /* Mails and requests to the operator leave one worker alone, which has the password of the mail server. */}}
{{- if or (not (hasPrefix "SPAI_ALERT_" $key)) (eq $.part "worker-default") }}{{ $_ := set $common $key $value }}{{ end }}
{{- end }}
{{- range $key, $value := merge (.env | default dict) $common }}
- {name: {{ $key }}, value: {{ toString $value | quote }}}
{{- end }}
{{- $database := .databaseKey | default "DATABASE_URL" | printf "DATABASE_URL=%s" }}
{{- include "spai.references" (dict "root" .root "required" (list "SECRET_KEY" $database "REDIS_URL")
  "optional" (concat (list "CELERY_BROKER_URL" "SENTRY_DSN") (.secrets | default list))) }}
{{- end }}

{{- define "spai.mlflowLogin" -}}
["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"]
{{- end }}

{{- define "spai.s3" -}}
["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
{{- end }}

{{- define "spai.httpProbes" -}}
startupProbe: {httpGet: {path: {{ .alive }}, port: http}, periodSeconds: 2, failureThreshold: 90}
livenessProbe: {httpGet: {path: {{ .alive }}, port: http}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
readinessProbe: {httpGet: {path: {{ .ready }}, port: http}, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3}
{{- end }}

{{/* Workers and beat have no port: commands ask. A lost broker or database is no reason to restart them, so `alive`
passes then. The start imports and compiles for minutes. Each question costs a second of a processor. */}}
{{- define "spai.commandProbes" -}}
startupProbe: {exec: {command: [python, -m, spai.stack.alive, {{ . }}]}, periodSeconds: 10, timeoutSeconds: 30, failureThreshold: 60}
livenessProbe: {exec: {command: [python, -m, spai.stack.alive, {{ . }}]}, periodSeconds: 60, timeoutSeconds: 30, failureThreshold: 3}
readinessProbe: {exec: {command: [python, -m, spai.stack.container, check, {{ . }}]}, periodSeconds: 120, timeoutSeconds: 30, failureThreshold: 3}
{{- end }}

{{- define "spai.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* The fields of a pod beside its containers; call with root, part and optionally
once (for a pod that runs once) and hook (for one that starts before the other objects of the chart). */}}
{{- define "spai.pod" -}}
{{- $pods := .root.Values.pods -}}
serviceAccountName: {{ if .hook }}default{{ else }}{{ include "spai.name" .root }}{{ end }}
automountServiceAccountToken: false
enableServiceLinks: false
# Longer than the image drains and then waits for work (spai/stack/stopping.py).
terminationGracePeriodSeconds: 60
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $pods.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $pods.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ int $pods.userId }}
  runAsGroup: {{ int $pods.userId }}
  fsGroup: {{ int $pods.userId }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- if not .once }}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: {{ $pods.whenUnsatisfiable }}
    labelSelector: {matchLabels: {{ include "spai.selector" $ }}}
    # Among the pods of one version, so that an update ends evenly.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}

{{/* What a process may write: nothing of it outlives the pod but the volume of pipeline runs. */}}
{{- define "spai.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: var, mountPath: /var/lib/spai}
{{- end }}

{{/* Call with claim, empty for none. A pod that writes more than its limit is replaced before the node's disk is full. */}}
{{- define "spai.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 4Gi}}
{{- if .claim }}
- {name: var, persistentVolumeClaim: {claimName: {{ .claim }}}}
{{- else }}
- {name: var, emptyDir: {sizeLimit: {{ .size | default "4Gi" }}}}
{{- end }}
{{- end }}

{{/* A claim of a disk; call with root, part, volume. */}}
{{- define "spai.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "spai.name" .root }}-{{ .part }}
  labels: {{ include "spai.labels" . }}
  annotations: {helm.sh/resource-policy: keep}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .volume.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources: {requests: {storage: {{ .volume.size }}}}
{{- end }}

{{/* Head of a network policy and the choice of its pods; call with root, name and of, a list of parts; without of all
pods of the release. */}}
{{- define "spai.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "spai.name" .root }}-{{ .name }}
  labels: {{ include "spai.labels" (dict "root" .root "part" "network") }}
spec:
  podSelector: {{- include "spai.podsOf" . | nindent 4 }}
{{- end }}

{{- define "spai.podsOf" -}}
matchLabels: {app.kubernetes.io/name: spai, app.kubernetes.io/instance: {{ .root.Release.Name }}}
{{- with .of }}
matchExpressions: [{key: app.kubernetes.io/component, operator: In, values: {{ toJson . }}}]
{{- end }}
{{- end }}
