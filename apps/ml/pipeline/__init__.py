"""Stages of the pipeline, run by DVC: each is a module that reads and writes files and uses no framework.

A stage works in the current folder (the checkout, or the workspace of a run) and reads its parameters from
`apps/ml/params.yaml` there. `dvc.yaml` lists the inputs and outputs of each.
"""
