/** Housekeeping files of many programs, by their paths. */
export const CLUTTER: Readonly<Record<string, string>> = {
  ".DS_Store": "macOS",
  "._rf.onnx": "AppleDouble",
  "BTC/._metadata.json": "AppleDouble",
  ".cache/huggingface/download/rf.onnx.metadata": "hf download --local-dir",
  ".cache/huggingface/.gitignore": "*",
  "BTC/.cache/huggingface/CACHEDIR.TAG": "hf download --local-dir",
  "__pycache__/features.cpython-313.pyc": "Python",
  "BTC/__pycache__/deep/features.pyc": "Python",
  "BTC/.ipynb_checkpoints/train-checkpoint.ipynb": "Jupyter",
  "BTC/Thumbs.db": "Windows",
  "desktop.ini": "Windows",
  ".gitkeep": "",
};
