"""Workflows for CI systems: readable, pinned by hash, with the least rights."""

from pathlib import Path

_CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
_PYTHON = "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0"
_UPLOAD = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2"

_GITHUB = f"""\
name: models
on:
  pull_request:
  push:
    branches: [main]

permissions: {{}}

concurrency:
  group: models-${{{{ github.ref }}}}
  cancel-in-progress: true

jobs:
  check:
    name: Check the models
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read
    env:
      # The home with the data, the cache and the champions: a folder that the runner mounts, or a store on
      # PostgreSQL (MAINSPRING_DATABASE). A new one knows no data: add some in a step before the check.
      MAINSPRING_HOME: .mainspring
    steps:
      - uses: {_CHECKOUT}
        with:
          persist-credentials: false
      - uses: {_PYTHON}
        with:
          python-version: "3.13"
      - run: pip install -r requirements.txt
      - run: mainspring ci --out mainspring-report
      - if: always()
        uses: {_UPLOAD}
        with:
          name: mainspring-report
          path: mainspring-report
"""

_GITLAB = """\
models:
  image: python:3.13-slim
  timeout: 1 hour
  interruptible: true
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  variables:
    # The home with the data, the cache and the champions: a folder that the runner mounts, or a store on
    # PostgreSQL (MAINSPRING_DATABASE). A new one knows no data: add some before the check.
    MAINSPRING_HOME: .mainspring
  script:
    - pip install -r requirements.txt
    - mainspring ci --out mainspring-report
  artifacts:
    when: always
    paths: [mainspring-report]
    reports:
      junit: mainspring-report/junit.xml
"""

_JENKINS = """\
pipeline {
  agent { docker { image 'python:3.13-slim' } }
  options {
    timeout(time: 60, unit: 'MINUTES')
    disableConcurrentBuilds(abortPrevious: true)
  }
  environment {
    // The home with the data, the cache and the champions: a folder that the agent mounts, or a store on
    // PostgreSQL (MAINSPRING_DATABASE). A new one knows no data: add some before the check.
    MAINSPRING_HOME = '.mainspring'
  }
  stages {
    stage('Check the models') {
      steps {
        sh 'python -m venv .venv && .venv/bin/pip install -r requirements.txt'
        sh '.venv/bin/mainspring ci --out mainspring-report'
      }
    }
  }
  post {
    always {
      junit 'mainspring-report/junit.xml'
      archiveArtifacts artifacts: 'mainspring-report/*'
    }
  }
}
"""

_WORKFLOWS = {
    "github": (".github/workflows/models.yml", _GITHUB),
    "gitlab": (".gitlab-ci.yml", _GITLAB),
    "jenkins": ("Jenkinsfile", _JENKINS),
}
SYSTEMS = tuple(_WORKFLOWS)


def workflow_of(system: str) -> tuple[Path, str]:
    """Where a CI system looks for its workflow, and what stands in it."""
    path, content = _WORKFLOWS[system]
    return Path(path), content
