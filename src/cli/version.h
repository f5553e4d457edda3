#ifndef TENON_CLI_VERSION_H
#define TENON_CLI_VERSION_H

#define TENON_VERSION "0.1.0"

#endif
