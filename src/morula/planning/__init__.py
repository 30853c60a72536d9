"""What a run will take, said before it is started: time, memory, reading, disk, and the machines for a day."""
