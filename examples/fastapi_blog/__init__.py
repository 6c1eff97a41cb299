"""
A small blog over HTTP: FastAPI, a database, and a cache between them.

    python -m examples.fastapi_blog                 http://127.0.0.1:8000, SQLite and a cache in memory

    BLOG_DATABASE_URL=postgresql://localhost/blog BLOG_CACHE_URL=redis://localhost python -m examples.fastapi_blog

Its posts are about the documents that the Internet is made of. Every page says whether it came from the cache: in the
header `X-Cache`, and at its foot. The page `/cache` has the counts.
"""
