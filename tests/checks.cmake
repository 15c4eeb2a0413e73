# Checks of the tree itself: architecture, words, formatting, man page.
find_program(PYTHON /usr/bin/python3)
find_program(CLANG_FORMAT NAMES clang-format-14 clang-format)

function(check name)
  add_test(NAME check.${name} COMMAND ${ARGN}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(check.${name} PROPERTIES LABELS check TIMEOUT 300)
endfunction()

check(layers ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_layers.py
  ${PROJECT_SOURCE_DIR})
check(layers_finds_mistakes ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_layers.py
  --self-test)
check(words ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_words.py
  ${PROJECT_SOURCE_DIR})
check(words_finds_mistakes ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_words.py
  --self-test)
check(format ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_format.py
  ${CLANG_FORMAT} ${PROJECT_SOURCE_DIR})
check(man ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_man.py
  ${PROJECT_SOURCE_DIR} $<TARGET_FILE:bearerfs>)
check(man_finds_mistakes ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_man.py
  --self-test ${PROJECT_SOURCE_DIR} $<TARGET_FILE:bearerfs>)

# clang-tidy takes minutes: `ctest -C tidy`, part of `./bootstrap test --long`.
find_program(CLANG_TIDY NAMES clang-tidy-14 clang-tidy)
add_test(NAME check.tidy CONFIGURATIONS tidy
  COMMAND ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_tidy.py ${CLANG_TIDY}
    ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
set_tests_properties(check.tidy PROPERTIES LABELS check TIMEOUT 3000)
add_custom_target(format COMMAND ${PYTHON}
  ${CMAKE_CURRENT_LIST_DIR}/check_format.py --write ${CLANG_FORMAT}
  ${PROJECT_SOURCE_DIR})
