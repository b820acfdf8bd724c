"""The text around the steps of a pipeline that was made of DVC's stages."""

from string import Template

RESERVED = frozenset(("ms", "work", "stages"))
"""Names that the text uses itself."""

HEAD = '''\
"""The stages of dvc.yaml as a pipeline, as `mainspring import dvc` wrote them: yours to change.

A step runs again when its command, a file in `files`, an input or a parameter changed.
"""

import mainspring as ms
'''

STEP = Template('''\
@ms.step$options
def $name($given) -> $returned:
    """$doc"""
    with ms.workspace() as work:
$puts        work.run($command$where)
$gives''')

FOOT = Template('''\
@ms.pipeline
def stages($given):
    """Every stage, after what it depends on."""
$calls    return $result
''')
