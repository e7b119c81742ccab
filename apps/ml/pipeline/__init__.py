"""The stages of the pipeline, one a module, run by DVC: files in, files out, no framework.

Every stage works on the folder it is started in (the checkout or the workspace of a run) and reads its numbers from
`apps/ml/params.yaml` there. `dvc.yaml` says what each reads and writes.
"""
