"""The words of morula as types: arrays in frozen containers. Needs numpy and the standard library, knows no file."""
