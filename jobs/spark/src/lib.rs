//! The extension module of the Python package `frontdoor_spark`: the job, with the tasks of Spark as its workers.
//!
//! Python starts tasks; everything else is in the crate `forward`.

use pyo3::prelude::*;

#[pymodule]
mod _core {
    use std::ffi::OsString;

    use forward::workers::{self, Workers};
    use pyo3::exceptions::PyRuntimeError;
    use pyo3::prelude::*;
    use pyo3::types::PyBytes;

    /// Runs the command of a command line, with the program's name as its first argument, and returns the exit code.
    ///
    /// `workers` has the methods `tasks() -> int`, `slice_offsets() -> int | None`, `execute(bytes) -> bytes` and `cancel()`.
    /// `execute` is called from several threads at once. None: this process does all of the work.
    #[pyfunction]
    #[pyo3(signature = (arguments, workers=None))]
    fn main(py: Python<'_>, arguments: Vec<OsString>, workers: Option<Py<PyAny>>) -> u8 {
        let workers = workers.map(PythonWorkers);
        py.detach(|| {
            let workers = workers.as_ref().map(|workers| workers as &dyn Workers);
            forward::program::main(arguments, workers)
        })
    }

    /// Executes a task, and returns its result.
    #[pyfunction]
    fn run_task<'py>(py: Python<'py>, task: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let result = py.detach(|| workers::run_task(task));
        match result {
            Ok(result) => Ok(PyBytes::new(py, &result)),
            Err(error) => Err(PyRuntimeError::new_err(error.to_string())),
        }
    }

    /// Workers that Python starts.
    struct PythonWorkers(Py<PyAny>);

    impl PythonWorkers {
        fn number<'py, T: FromPyObjectOwned<'py>>(
            &self,
            py: Python<'py>,
            method: &str,
        ) -> PyResult<T> {
            let number = self.0.bind(py).call_method0(method)?;
            number.extract().map_err(Into::into)
        }
    }

    impl Workers for PythonWorkers {
        fn tasks(&self) -> Result<usize, String> {
            Python::attach(|py| self.number(py, "tasks").map_err(|error| error.to_string()))
        }

        fn slice_offsets(&self) -> Result<Option<i64>, String> {
            Python::attach(|py| {
                self.number(py, "slice_offsets")
                    .map_err(|error| error.to_string())
            })
        }

        fn execute(&self, task: &[u8]) -> Result<Vec<u8>, String> {
            Python::attach(|py| {
                let result = self
                    .0
                    .call_method1(py, "execute", (PyBytes::new(py, task),));
                let result = result.and_then(|result| result.extract::<Vec<u8>>(py));
                result.map_err(|error| error.to_string())
            })
        }

        fn cancel(&self) {
            Python::attach(|py| {
                // The tasks go on then, and the run waits for them.
                if let Err(error) = self.0.call_method0(py, "cancel") {
                    error.write_unraisable(py, None);
                }
            });
        }
    }
}
