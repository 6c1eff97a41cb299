"""That this run is what it says: on trio."""

import sniffio


async def test_event_loop_in_this_directory_is_trio():
    assert sniffio.current_async_library() == "trio"
