"""The form of the native HTTP API: fields, views and errors that the rooms share which serve it."""
