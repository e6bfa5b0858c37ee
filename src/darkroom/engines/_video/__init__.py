"""Video in and out for every engine, with PyAV: `reading` decodes, `writing` encodes H.264, `sound` carries the audio.

Callers' files are opened as file objects with a closed list of container formats, so that nothing that stands in a file
can make the decoder open another file or a connection. Only child processes import the modules in here.
"""
