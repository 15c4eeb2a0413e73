/* SPDX-License-Identifier: Apache-2.0 */
/* cli/version.h - what --version says; the number comes from the build. */
#ifndef CLI_VERSION_H
#define CLI_VERSION_H

#ifndef BEARERFS_VERSION
#error "BEARERFS_VERSION is set by CMakeLists.txt"
#endif

#define CLI_VERSION BEARERFS_VERSION

#endif
