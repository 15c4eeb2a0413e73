/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/answers.h - what real servers answered for a directory of
 * dangerous names.
 */
#ifndef TESTS_UNIT_FETCH_ANSWERS_H
#define TESTS_UNIT_FETCH_ANSWERS_H

/** XRootD 5.5.3: PROPFIND /exp/alice/, Depth 1; hrefs are not encoded. */
extern const char answer_xrootd_propfind[];

/** nginx 1.22.1 with dav-ext 3.0.0: PROPFIND /, Depth 1. */
extern const char answer_nginx_propfind[];

/** Apache 2.4.71 mod_dav: PROPFIND /, Depth 1. */
extern const char answer_apache_propfind[];

/** Apache 2.4.71 mod_dav: PROPFIND / for a quota that it has not. */
extern const char answer_apache_no_quota[];

/** XRootD 5.5.3: GET /exp/alice/; names are raw. */
extern const char answer_xrootd_html[];

/** nginx 1.22.1: autoindex of /. */
extern const char answer_nginx_html[];

/** Apache 2.4.71: mod_autoindex, FancyIndexing HTMLTable, of /. */
extern const char answer_apache_html[];

/** Python 3.11.2: http.server, of /. */
extern const char answer_python_html[];

/** nginx 1.22.1: autoindex_format json, of /. */
extern const char answer_nginx_json[];

#endif
