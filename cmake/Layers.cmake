# layer(<name> SOURCES <file>... MAY_CALL <layer>... USES <target>...)
#
# One folder, one static library. MAY_CALL is the architecture: the layers
# whose public header this one may include. USES are third-party libraries;
# they are PRIVATE, so curl stays inside fetch/ and fuse3 inside fs/.
# tests/check_layers.py holds the #includes against the same table.
function(layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;MAY_CALL;USES" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}
    PUBLIC ${arg_MAY_CALL} Threads::Threads
    PRIVATE project_options ${arg_USES})
endfunction()

# unit_test(<name> LAYER <layer> [SOURCES <extra>...] [USES <target>...]
#           [WRAP <symbol>...] [ONE_THREAD])
#
# tests/unit/<layer>/<name>.c, linked with its layer and what lies below it
# and with nothing above: an upward call does not link. WRAP gives
# -Wl,--wrap=<symbol> for tests that fail an allocation or a system call.
# ONE_THREAD: much work by one thread, in which the thread sanitizer has nothing
# to find; that runs it in `./bootstrap test --long` only.
function(unit_test name)
  cmake_parse_arguments(arg "ONE_THREAD" "LAYER" "SOURCES;USES;WRAP" ${ARGN})
  set(target ${name})
  if(TARGET ${target}) # two layers may name a test alike
    set(target ${arg_LAYER}_${name})
  endif()
  add_executable(${target} ${name}.c ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE project_options ${arg_LAYER}
    ${arg_USES} PkgConfig::CMOCKA)
  foreach(symbol ${arg_WRAP})
    target_link_options(${target} PRIVATE LINKER:--wrap=${symbol})
  endforeach()
  add_test(NAME unit.${arg_LAYER}.${name} COMMAND ${target})
  set(label unit)
  if(arg_ONE_THREAD AND BEARERFS_SANITIZE MATCHES thread)
    set(label unit-long)
  endif()
  set_tests_properties(unit.${arg_LAYER}.${name} PROPERTIES
    LABELS ${label} TIMEOUT 120 ENVIRONMENT "${BEARERFS_TEST_ENVIRONMENT}")
endfunction()
