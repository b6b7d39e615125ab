"""The runner of the compliance suite for REST transcoding; see ../README.md."""
