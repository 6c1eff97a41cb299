"""The blog as a program: `python -m examples.fastapi_blog [port]`."""

import sys

import uvicorn

from examples.fastapi_blog.app import create_app
from examples.fastapi_blog.settings import Settings

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(create_app(Settings.from_environment()), port=port, log_level="warning")
