# Compiler settings that every target of ours shares.
option(BEARERFS_TESTS "build the tests" ON)
option(BEARERFS_WERROR "warnings are errors (development builds)" OFF)
option(BEARERFS_FUZZ "build the fuzz targets with libFuzzer (clang)" OFF)
set(BEARERFS_SANITIZE "" CACHE STRING "address,undefined or thread")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # _GNU_SOURCE interfaces: accept4, pwritev2, ...
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(project_options INTERFACE)
target_compile_definitions(project_options INTERFACE _GNU_SOURCE
  _FILE_OFFSET_BITS=64)
target_compile_options(project_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wcast-align -Wundef
  -Wvla -Wformat=2 -Wformat-nonliteral -Wswitch-enum -Wnull-dereference
  -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(project_options INTERFACE -Wlogical-op
    -Wduplicated-cond -Wduplicated-branches)
else()
  target_compile_options(project_options INTERFACE -Wthread-safety -Wcomma
    -Wunreachable-code -Wno-gnu-statement-expression)
endif()
if(BEARERFS_WERROR)
  target_compile_options(project_options INTERFACE -Werror)
endif()

if(BEARERFS_FUZZ)
  # The layers too: without it libFuzzer is blind behind the target itself.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(BEARERFS_SANITIZE)
  add_compile_options(-fsanitize=${BEARERFS_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BEARERFS_SANITIZE})
  if(BEARERFS_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
elseif(CMAKE_BUILD_TYPE MATCHES "Release|RelWithDebInfo")
  target_compile_options(project_options INTERFACE -U_FORTIFY_SOURCE
    -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
    -fcf-protection=full -ftrivial-auto-var-init=zero
    $<$<C_COMPILER_ID:Clang>:-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang>)
  add_link_options(-pie LINKER:-z,relro,-z,now,-z,noexecstack)
endif()
# By default a process with threads waits a second at its end for reports; the
# tests start and end many.
set(BEARERFS_TEST_ENVIRONMENT "")
if(BEARERFS_SANITIZE MATCHES thread)
  set(BEARERFS_TEST_ENVIRONMENT "TSAN_OPTIONS=atexit_sleep_ms=50")
endif()
# assert() states what we guarantee and stays on in every build.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO
  "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
