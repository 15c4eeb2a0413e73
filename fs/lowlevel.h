/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/lowlevel.h - libfuse's low-level interface, in one version for all files
 * of this folder.
 */
#ifndef FS_LOWLEVEL_H
#define FS_LOWLEVEL_H

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>

#endif
