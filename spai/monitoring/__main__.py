"""Write the files of this folder again: `python -m spai.monitoring`."""

from spai.monitoring.files import written

for path, content in written().items():
    path.write_text(content, encoding="utf-8")
