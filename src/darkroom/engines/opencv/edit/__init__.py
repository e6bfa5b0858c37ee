"""Edits by prompt: one picture is changed, or several become one, as the words say.

`words` are the tables, `reading` splits a prompt by them and `plan` says what it asks for, all without a picture.
`scene` looks at a picture; `light`, `season`, `weather` and `palette` render on it; `collage`, `cutout` and `transfer`
put pictures together as `compose` decides; `mask` limits what changes, and `job` does one task with all of them.
"""
