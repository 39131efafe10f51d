"""The reference service's process."""

import os

from services.common.serving.runtime import alone, serve
from services.reference.servicer import reference_service

if __name__ == "__main__":
    serve(os.environ, lambda runtime: alone(reference_service(runtime)))
