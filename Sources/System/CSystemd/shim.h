#pragma once
// The location of a message is given as fields of its own, not that of this header's macros.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
