"""
Programs that show the mapper at work: `python -m examples.blog`, `python -m examples.packages`,
`python -m examples.fastapi_blog`.
"""
